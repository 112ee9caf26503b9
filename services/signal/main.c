#include "signal-service.h"

int main(int argc, char **argv) {
    return service_main(&signal_service, argc, argv);
}

#include "broker.h"

int main(int argc, char **argv) {
    return service_main(&broker_service, argc, argv);
}

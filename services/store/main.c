#include "store-service.h"

int main(int argc, char **argv) {
    return service_main(&store_service, argc, argv);
}

#include "sensor.h"

int main(int argc, char **argv) {
    return service_main(&sensor_service, argc, argv);
}

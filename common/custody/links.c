#include "custody/links.h"

EndpointId custody_ack_link(EndpointId data) {
    switch (data) {
    case ENDPOINT_SENSOR_CAMERA:
        return ENDPOINT_ACK_CAMERA;
    case ENDPOINT_SENSOR_INDUCTIVE:
        return ENDPOINT_ACK_INDUCTIVE;
    case ENDPOINT_SENSOR_GPS:
        return ENDPOINT_ACK_GPS;
    case ENDPOINT_BROKER:
        return ENDPOINT_ACK_BROKER;
    case ENDPOINT_STORE_PRIMARY:
        return ENDPOINT_ACK_PRIMARY;
    case ENDPOINT_STORE_REPLICA:
        return ENDPOINT_ACK_REPLICA;
    default:
        return ENDPOINT_COUNT;
    }
}

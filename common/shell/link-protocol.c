#include "shell/link-protocol.h"

Protocol link_protocol(const Settings *settings, EndpointId id) {
    switch (id) {
    case ENDPOINT_SENSOR_CAMERA:
    case ENDPOINT_SENSOR_INDUCTIVE:
    case ENDPOINT_SENSOR_GPS:
    case ENDPOINT_ACK_CAMERA:
    case ENDPOINT_ACK_INDUCTIVE:
    case ENDPOINT_ACK_GPS:
        return (Protocol)settings->protocol_broker;
    case ENDPOINT_BROKER:
    case ENDPOINT_ACK_BROKER:
        return (Protocol)settings->protocol_analytics;
    case ENDPOINT_STORE_PRIMARY:
    case ENDPOINT_ACK_PRIMARY:
        return (Protocol)settings->protocol_primary;
    case ENDPOINT_STORE_REPLICA:
    case ENDPOINT_ACK_REPLICA:
        return (Protocol)settings->protocol_replica;
    default:
        return PROTOCOL_V0;
    }
}

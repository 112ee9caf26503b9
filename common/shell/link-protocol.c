#include "shell/link-protocol.h"

#include "base/macro.h"

#include <stddef.h>

/* Acknowledgements go back on a link of their own, which peers of the first implementation never see. */
static const struct {
    EndpointId data, acks;
    size_t protocol; /* of its reader: where the settings have it */
} hops[] = {
    {ENDPOINT_SENSOR_CAMERA, ENDPOINT_ACK_CAMERA, offsetof(Settings, protocol_broker)},
    {ENDPOINT_SENSOR_INDUCTIVE, ENDPOINT_ACK_INDUCTIVE, offsetof(Settings, protocol_broker)},
    {ENDPOINT_SENSOR_GPS, ENDPOINT_ACK_GPS, offsetof(Settings, protocol_broker)},
    {ENDPOINT_BROKER, ENDPOINT_ACK_BROKER, offsetof(Settings, protocol_analytics)},
    {ENDPOINT_STORE_PRIMARY, ENDPOINT_ACK_PRIMARY, offsetof(Settings, protocol_primary)},
    {ENDPOINT_STORE_REPLICA, ENDPOINT_ACK_REPLICA, offsetof(Settings, protocol_replica)},
};

EndpointId link_acks(EndpointId data) {
    for (size_t i = 0; i < ARRAY_LEN(hops); i++)
        if (hops[i].data == data)
            return hops[i].acks;
    return ENDPOINT_COUNT;
}

Protocol link_protocol(const Settings *settings, EndpointId id) {
    for (size_t i = 0; i < ARRAY_LEN(hops); i++)
        if (hops[i].data == id || hops[i].acks == id)
            return (Protocol) * (const int *)(const void *)((const char *)settings + hops[i].protocol);
    return PROTOCOL_V0;
}

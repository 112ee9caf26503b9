/* Who makes what this process sends: one half of an identity; the other is service_epoch() and a sequence number. */
#pragma once

/* "WHO@HOST" as the wire takes it, at most 63 bytes: of a long host name the beginning. */
typedef struct ProducerName {
    char text[64];
} ProducerName;

/* On this host, by its present name. */
ProducerName producer_name(const char *who);

ProducerName producer_name_on(const char *who, const char *host);

#include "shell/producer.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

ProducerName producer_name_on(const char *who, const char *host) {
    ProducerName name;
    (void)snprintf(name.text, sizeof name.text, "%s@%s", who, host);
    return name;
}

ProducerName producer_name(const char *who) {
    char host[HOST_NAME_MAX + 1] = "localhost"; /* stays when the kernel does not tell */
    (void)gethostname(host, sizeof host);
    return producer_name_on(who, host);
}

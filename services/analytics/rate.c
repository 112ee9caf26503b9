/* A ring of seconds; a place is emptied when its second begins. */
#include "rate.h"

enum { PLACES = RATE_SECONDS + 1 };

void rate_count(Rate *rate, Mono now) {
    uint64_t second = now.usec / USEC_PER_SEC;
    for (uint64_t passed = 0; rate->second < second && passed < PLACES; passed++)
        rate->counts[++rate->second % PLACES] = 0;
    if (rate->second < second) /* more than the ring passed: all of it is zero already */
        rate->counts[(rate->second = second) % PLACES] = 0;
    rate->counts[second % PLACES]++;
}

double rate_per_sec(const Rate *rate, Mono now) {
    uint64_t second = now.usec / USEC_PER_SEC, sum = 0;
    for (uint64_t ago = 1; ago <= RATE_SECONDS && ago <= second; ago++)
        if (second - ago <= rate->second && rate->second < second - ago + PLACES)
            sum += rate->counts[(second - ago) % PLACES];
    return (double)sum / RATE_SECONDS;
}

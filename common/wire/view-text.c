/* The text has gone through the decoder: it is well-formed JSON. So what is read here, byte by byte, is only whether it
 * is a list of pairs, and no number can be longer than the text. */
#include "wire/view-text.h"

#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

ViewText view_text_format(const PlacedVehicle *vehicles, size_t n) {
    ViewText view = {.text = "["};
    view.size = 1;
    for (size_t i = 0; i < n && i < VIEW_PLACED_MAX; i++)
        view.size += (size_t)snprintf(view.text + view.size, sizeof view.text - view.size, "%s[%.1f,%.1f]",
                                      i ? "," : "", vehicles[i].metres, vehicles[i].speed_kmh);
    memcpy(view.text + view.size, "]", 2);
    view.size++;
    return view;
}

static const char *skip_space(const char *at) {
    return at + strspn(at, " \t\r\n");
}

/* One expected byte and the space around it; NULL when another is there. */
static const char *take_byte(const char *at, char expected) {
    at = at ? skip_space(at) : NULL;
    return at && *at == expected ? skip_space(at + 1) : NULL;
}

static const char *take_number(const char *at, double max, double *ret) {
    char *end;
    if (!at)
        return NULL;
    *ret = strtod(at, &end);
    return end != at && *ret >= 0 && *ret <= max ? end : NULL;
}

static int refuse(const JsonText *placed, Problem *problem) {
    return problem_set(
        problem, -EBADMSG,
        "member \"vehiculos\": expected [[metres, km/h], ...], nearest first, of at most %d m and %d "
        "km/h, got %s",
        VIEW_METRES_MAX, VIEW_KMH_MAX, text_shown(placed->text, placed->size).text);
}

int view_text_parse(const ViewEvent *view, PlacedVehicle *ret, size_t capacity, size_t *ret_n,
                    Problem *problem) {
    size_t n = 0;
    double last_metres = 0;
    if (!message_has(view, ViewEvent, placed)) {
        *ret_n = 0;
        return 0;
    }
    const char *at = take_byte(view->placed.text, '[');
    while (at && *at != ']') {
        PlacedVehicle vehicle;
        at = take_byte(n > 0 ? take_byte(at, ',') : at, '[');
        at = take_byte(take_number(at, VIEW_METRES_MAX, &vehicle.metres), ',');
        at = take_byte(take_number(at, VIEW_KMH_MAX, &vehicle.speed_kmh), ']');
        if (!at || vehicle.metres < last_metres)
            return refuse(&view->placed, problem);
        last_metres = vehicle.metres;
        if (n < capacity)
            ret[n] = vehicle;
        n++;
    }
    if (!at)
        return refuse(&view->placed, problem);
    if (n > (size_t)view->vehicles)
        return problem_set(
            problem, -EBADMSG,
            "member \"vehiculos\": expected at most as many as \"vehiculos_en_vista\", %lld, got %zu",
            (long long)view->vehicles, n);
    *ret_n = n < capacity ? n : capacity;
    return 0;
}

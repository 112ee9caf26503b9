/* From the city file to the city: the file as a whole, and the questions that others ask. Its parts are read in
 * city-grid.c, city-signals.c, city-movements.c and city-sensors.c; json-place.c does the reading of JSON and words the refusals. Nothing is
 * guessed: a file that is not a whole city is refused at its first fault. */
#include "settings/city-private.h"

#include "settings/settings-table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX_BYTES = 64 * 1024 * 1024 };

/* --- the city --- */

static int read_city(const Place *root, const CityDefaults *defaults, City *city) {
    static const char *const members[] = {"name", "grid", "intersections", "sensors"};
    Place name;
    int r = place_check_members(root, members, ARRAY_LEN(members));
    if (r == 0)
        r = place_required(root, "name", &name);
    if (r == 0)
        r = place_text(&name, city->name, sizeof city->name, true);
    if (r == 0)
        r = city_read_intersections(root, city);
    if (r == 0)
        r = city_read_signals(root, defaults, city);
    if (r == 0)
        r = city_read_sensors(root, city);
    city->index->drafts = value_pool_free(city->index->drafts);
    return r;
}

int city_parse(const char *name, const char *text, size_t size, const CityDefaults *defaults, City **ret,
               Problem *problem) {
    CityDefaults built_in = city_defaults(&setting_defaults);
    PlaceFile file = {.name = name, .problem = problem};
    json_object *value = NULL;
    int r = place_parse(&file, text, size, &value);
    if (r < 0)
        return r;
    Place root = {.file = &file, .value = value};
    scoped(city_freep) City *city = calloc(1, sizeof *city);
    if (city)
        city->index = calloc(1, sizeof *city->index);
    r = city && city->index ? read_city(&root, defaults ? defaults : &built_in, city) : -ENOMEM;
    json_object_put(value);
    if (r == -ENOMEM)
        return problem_set(problem, r, "%s: out of memory", name);
    if (r < 0)
        return r;
    *ret = take(city);
    return 0;
}

/* The whole file as one allocation that the caller frees. */
static int read_whole(FILE *file, char **ret, size_t *ret_size) {
    size_t size = 0, capacity = 64 * 1024;
    char *text = malloc(capacity);
    while (text && !feof(file) && !ferror(file) && size < FILE_MAX_BYTES) {
        size += fread(text + size, 1, capacity - size, file);
        if (size == capacity) {
            char *larger = realloc(text, capacity *= 2);
            if (!larger)
                free(text);
            text = larger;
        }
    }
    if (!text)
        return -ENOMEM;
    if (ferror(file) || size >= FILE_MAX_BYTES) {
        free(text);
        return ferror(file) ? -EIO : -EFBIG;
    }
    *ret = text;
    *ret_size = size;
    return 0;
}

int city_load(const char *path, const CityDefaults *defaults, City **ret, Problem *problem) {
    FILE *file = fopen(path, "re");
    if (!file) {
        int error = errno;
        return problem_set(problem, -error, "%s: cannot open: %s", path, strerror(error));
    }
    char *text = NULL;
    size_t size = 0;
    int r = read_whole(file, &text, &size);
    (void)fclose(file);
    if (r < 0)
        return problem_set(problem, r, "%s: cannot read: %s", path, strerror(-r));
    r = city_parse(path, text, size, defaults, ret, problem);
    free(text);
    return r;
}

static void index_free(struct CityIndex *index, size_t n_intersections) {
    if (!index)
        return;
    for (size_t kind = 0; kind < SENSOR_KIND_COUNT; kind++)
        id_index_free(index->sensors[kind]);
    id_index_free(index->intersections);
    for (size_t i = 0; index->parts && i < n_intersections; i++)
        city_parts_free(index->parts[i]);
    free(index->parts);
    city_parts_free(index->two_streets);
    value_pool_free(index->models);
    value_pool_free(index->layouts);
    value_pool_free(index->drafts);
    free(index);
}

City *city_free(City *city) {
    if (!city)
        return NULL;
    for (size_t kind = 0; kind < SENSOR_KIND_COUNT; kind++)
        free(city->sensors[kind]);
    index_free(city->index, city->n_intersections);
    free(city->intersections);
    free(city);
    return NULL;
}

/* --- questions --- */

size_t city_find_intersection(const City *city, const char *id) {
    return id_index_find(city->index->intersections, id);
}

const CitySensor *city_find_sensor(const City *city, SensorKind kind, const char *id) {
    size_t place = id_index_find(city->index->sensors[kind], id);
    return place == ID_INDEX_NONE ? NULL : &city->sensors[kind][place];
}

bool city_has_row(const City *city, const char *row) {
    for (size_t i = 0; i < city->n_intersections; i++)
        if (strcmp(city->intersections[i].row, row) == 0)
            return true;
    return false;
}

bool city_has_column(const City *city, int column) {
    for (size_t i = 0; i < city->n_intersections; i++)
        if (city->intersections[i].column == column)
            return true;
    return false;
}

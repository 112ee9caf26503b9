/* From the city file to the city: what its members mean and what must hold between them. json-place.c does
 * the reading of JSON and words the refusals. Nothing is guessed: a file that is not a whole city is refused
 * at its first fault. */
#include "settings/city.h"

#include "settings/id-index.h"
#include "settings/json-place.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LINES_MAX = 1000,           /* rows, and columns */
    INTERSECTIONS_MAX = 100000, /* a grid of a few kilobytes could ask for a million */
    COLUMN_MAX = 1000000,
    BLOCK_METRES = 200, /* between neighbours of a city that gives no coordinates */
    FILE_MAX_BYTES = 64 * 1024 * 1024,
};
#define COORDINATE_MAX_METRES 1e7

struct CityIndex {
    IdIndex *intersections;
    IdIndex *sensors[SENSOR_KIND_COUNT]; /* NULL for a kind that the file leaves out */
};

/* Rows and columns as the file lists them. */
typedef struct Grid {
    char (*rows)[CITY_ROW_MAX_BYTES + 1];
    int *columns;
    size_t n_rows, n_columns;
} Grid;

static void grid_clear(Grid *grid) {
    free(grid->rows);
    free(grid->columns);
}

/* --- the grid --- */

static int read_rows(const Place *array, Grid *grid) {
    int r = place_check_array(array, &grid->n_rows);
    if (r < 0)
        return r;
    if (grid->n_rows == 0 || grid->n_rows > LINES_MAX)
        return place_refuse(array, -EINVAL, "expected 1 to %d rows, got %zu", LINES_MAX, grid->n_rows);
    grid->rows = calloc(grid->n_rows, sizeof *grid->rows);
    if (!grid->rows)
        return -ENOMEM;
    for (size_t i = 0; i < grid->n_rows; i++) {
        Place place = place_element(array, i);
        r = place_text(&place, grid->rows[i], sizeof grid->rows[i], false);
        if (r < 0)
            return r;
        for (size_t j = 0; j < i; j++)
            if (strcmp(grid->rows[i], grid->rows[j]) == 0)
                return place_refuse(&place, -EINVAL, "row \"%s\" is there twice", grid->rows[i]);
    }
    return 0;
}

static int read_columns(const Place *array, Grid *grid) {
    int r = place_check_array(array, &grid->n_columns);
    if (r < 0)
        return r;
    if (grid->n_columns == 0 || grid->n_columns > LINES_MAX)
        return place_refuse(array, -EINVAL, "expected 1 to %d columns, got %zu", LINES_MAX, grid->n_columns);
    grid->columns = calloc(grid->n_columns, sizeof *grid->columns);
    if (!grid->columns)
        return -ENOMEM;
    for (size_t i = 0; i < grid->n_columns; i++) {
        Place place = place_element(array, i);
        r = place_integer(&place, 1, COLUMN_MAX, &grid->columns[i]);
        if (r < 0)
            return r;
        for (size_t j = 0; j < i; j++)
            if (grid->columns[i] == grid->columns[j])
                return place_refuse(&place, -EINVAL, "column %d is there twice", grid->columns[i]);
    }
    return 0;
}

static int read_grid(const Place *city, Grid *grid) {
    static const char *const members[] = {"rows", "columns"};
    Place place, rows, columns;
    int r = place_required(city, "grid", &place);
    if (r == 0)
        r = place_check_members(&place, members, ARRAY_LEN(members));
    if (r == 0)
        r = place_required(&place, "rows", &rows);
    if (r == 0)
        r = read_rows(&rows, grid);
    if (r == 0)
        r = place_required(&place, "columns", &columns);
    if (r == 0)
        r = read_columns(&columns, grid);
    if (r == 0 && grid->n_rows > INTERSECTIONS_MAX / grid->n_columns)
        r = place_refuse(&place, -EINVAL, "expected at most %d intersections, got %zu rows and %zu columns",
                         INTERSECTIONS_MAX, grid->n_rows, grid->n_columns);
    return r;
}

/* --- intersections --- */

/* Where an intersection lies when the file does not say. */
static void place_on_grid(CityIntersection *intersection, size_t row, size_t column) {
    intersection->x_metres = (double)column * BLOCK_METRES;
    intersection->y_metres = -(double)row * BLOCK_METRES;
}

static int make_intersections(City *city, const Grid *grid) {
    city->intersections = calloc(grid->n_rows * grid->n_columns, sizeof *city->intersections);
    if (!city->intersections)
        return -ENOMEM;
    for (size_t row = 0; row < grid->n_rows; row++)
        for (size_t column = 0; column < grid->n_columns; column++) {
            CityIntersection *intersection = &city->intersections[city->n_intersections++];
            (void)snprintf(intersection->id, sizeof intersection->id, "INT-%s%d", grid->rows[row],
                           grid->columns[column]);
            (void)snprintf(intersection->row, sizeof intersection->row, "%s", grid->rows[row]);
            intersection->column = grid->columns[column];
            place_on_grid(intersection, row, column);
        }
    return 0;
}

static int read_row(const Place *object, const Grid *grid, CityIntersection *intersection, size_t *ret_row) {
    Place place;
    int r = place_required(object, "row", &place);
    if (r == 0)
        r = place_text(&place, intersection->row, sizeof intersection->row, false);
    for (size_t i = 0; r == 0 && i < grid->n_rows; i++)
        if (strcmp(grid->rows[i], intersection->row) == 0) {
            *ret_row = i;
            return 0;
        }
    return r < 0 ? r : place_refuse_value(&place, "a row of /grid/rows");
}

static int read_column(const Place *object, const Grid *grid, CityIntersection *intersection,
                       size_t *ret_column) {
    Place place;
    int r = place_required(object, "column", &place);
    if (r == 0)
        r = place_integer(&place, 1, COLUMN_MAX, &intersection->column);
    for (size_t i = 0; r == 0 && i < grid->n_columns; i++)
        if (grid->columns[i] == intersection->column) {
            *ret_column = i;
            return 0;
        }
    return r < 0 ? r : place_refuse_value(&place, "a column of /grid/columns");
}

static int read_coordinates(const Place *object, CityIntersection *intersection) {
    Place x, y;
    int r = 0;
    if (place_member(object, "x", &x))
        r = place_number(&x, -COORDINATE_MAX_METRES, COORDINATE_MAX_METRES, &intersection->x_metres);
    if (r == 0 && place_member(object, "y", &y))
        r = place_number(&y, -COORDINATE_MAX_METRES, COORDINATE_MAX_METRES, &intersection->y_metres);
    return r;
}

/* `cells` has a mark for each place of the grid that is taken. */
static int read_intersection(const Place *object, const Grid *grid, bool *cells, CityIntersection *ret) {
    static const char *const members[] = {"id", "row", "column", "x", "y"};
    Place id;
    size_t row = 0, column = 0;
    int r = place_check_members(object, members, ARRAY_LEN(members));
    if (r == 0)
        r = place_required(object, "id", &id);
    if (r == 0)
        r = place_text(&id, ret->id, sizeof ret->id, false);
    if (r == 0)
        r = read_row(object, grid, ret, &row);
    if (r == 0)
        r = read_column(object, grid, ret, &column);
    if (r < 0)
        return r;
    bool *cell = &cells[row * grid->n_columns + column];
    if (*cell)
        return place_refuse(object, -EINVAL, "row \"%s\", column %d already has an intersection", ret->row,
                            ret->column);
    *cell = true;
    place_on_grid(ret, row, column);
    return read_coordinates(object, ret);
}

static int read_intersections(const Place *array, const Grid *grid, City *city) {
    size_t n = 0;
    int r = place_check_array(array, &n);
    if (r < 0)
        return r;
    if (n == 0)
        return place_refuse(array, -EINVAL, "expected at least one intersection, got an empty array");
    /* each takes a place of the grid of its own, so there are never more than those */
    size_t n_cells = grid->n_rows * grid->n_columns;
    bool *cells = calloc(n_cells, sizeof *cells);
    city->intersections = calloc(n_cells + 1, sizeof *city->intersections);
    r = cells && city->intersections ? 0 : -ENOMEM;
    for (size_t i = 0; r == 0 && i < n; i++) {
        Place place = place_element(array, i);
        r = read_intersection(&place, grid, cells, &city->intersections[i]);
    }
    free(cells);
    city->n_intersections = n;
    return r;
}

/* Either the file lists them or the grid makes one at each of its places. */
static int read_or_make_intersections(const Place *root, const Grid *grid, City *city) {
    Place array, place;
    bool is_listed = place_member(root, "intersections", &array);
    int r = is_listed ? read_intersections(&array, grid, city) : make_intersections(city, grid);
    if (r < 0)
        return r;
    IdIndex *index = city->index->intersections = id_index_new(city->n_intersections);
    if (!index)
        return -ENOMEM;
    for (size_t i = 0; i < city->n_intersections; i++) {
        const char *id = city->intersections[i].id;
        if (id_index_add(index, id, i) == 0)
            continue;
        if (!is_listed) /* rows "A" and "A1" with columns 11 and 1 */
            return place_refuse(root, -EINVAL, "the rows and columns of /grid make the id \"%s\" twice", id);
        place = place_element(&array, i);
        return place_refuse(&place, -EINVAL, "id \"%s\" is already that of /intersections/%zu", id,
                            id_index_find(index, id));
    }
    return 0;
}

/* --- sensors --- */

static const char *const sensor_members[SENSOR_KIND_COUNT] = {
    [SENSOR_CAMERA] = "cameras", [SENSOR_INDUCTIVE] = "inductive_loops", [SENSOR_GPS] = "gps"};

static int refuse_intersection(const Place *place, const City *city, const char *id) {
    const char **ids = calloc(city->n_intersections, sizeof *ids);
    if (!ids)
        return -ENOMEM;
    for (size_t i = 0; i < city->n_intersections; i++)
        ids[i] = city->intersections[i].id;
    const char *nearest = closest_word(id, ids, city->n_intersections);
    free(ids);
    if (nearest)
        return place_refuse(place, -EINVAL, "unknown intersection \"%s\"; did you mean \"%s\"?", id, nearest);
    return place_refuse(place, -EINVAL,
                        "unknown intersection \"%s\"; expected an id of this city, such as \"%s\"", id,
                        city->intersections[0].id);
}

static int read_sensor_intersection(const Place *object, const City *city, CitySensor *sensor) {
    char id[CITY_ID_MAX_BYTES + 1];
    Place place;
    int r = place_required(object, "interseccion", &place);
    if (r == 0)
        r = place_text(&place, id, sizeof id, false);
    if (r < 0)
        return r;
    sensor->intersection = city_find_intersection(city, id);
    return sensor->intersection == CITY_NO_INDEX ? refuse_intersection(&place, city, id) : 0;
}

static int read_sensor(const Place *object, const City *city, CitySensor *sensor) {
    static const char *const members[] = {"sensor_id", "interseccion", "direction"};
    Place id, direction;
    int r = place_check_members(object, members, ARRAY_LEN(members));
    if (r == 0)
        r = place_required(object, "sensor_id", &id);
    if (r == 0)
        r = place_text(&id, sensor->id, sizeof sensor->id, false);
    if (r == 0)
        r = read_sensor_intersection(object, city, sensor);
    if (r == 0 && place_member(object, "direction", &direction)) {
        int word = 0;
        r = place_word(&direction, direction_words, &word);
        sensor->direction = (Direction)word;
        sensor->has_direction = true;
    }
    return r;
}

static int read_sensors_of_kind(const Place *array, City *city, SensorKind kind) {
    size_t n = 0;
    int r = place_check_array(array, &n);
    if (r < 0)
        return r;
    CitySensor *sensors = city->sensors[kind] = calloc(n + 1, sizeof *sensors);
    IdIndex *index = city->index->sensors[kind] = id_index_new(n);
    if (!sensors || !index)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        Place place = place_element(array, i);
        r = read_sensor(&place, city, &sensors[i]);
        if (r < 0)
            return r;
        for (size_t other = 0; other <= kind; other++)
            if (id_index_find(city->index->sensors[other], sensors[i].id) != ID_INDEX_NONE)
                return place_refuse(&place, -EINVAL, "sensor_id \"%s\" is already that of /sensors/%s/%zu",
                                    sensors[i].id, sensor_members[other],
                                    id_index_find(city->index->sensors[other], sensors[i].id));
        (void)id_index_add(index, sensors[i].id, i);
    }
    city->n_sensors[kind] = n;
    return 0;
}

static int read_sensors(const Place *root, City *city) {
    Place place, array;
    if (!place_member(root, "sensors", &place))
        return 0;
    int r = place_check_members(&place, sensor_members, ARRAY_LEN(sensor_members));
    for (size_t kind = 0; r == 0 && kind < SENSOR_KIND_COUNT; kind++)
        if (place_member(&place, sensor_members[kind], &array))
            r = read_sensors_of_kind(&array, city, (SensorKind)kind);
    return r;
}

/* --- the city --- */

static int read_city(const Place *root, City *city) {
    static const char *const members[] = {"name", "grid", "intersections", "sensors"};
    Grid grid = {0};
    Place name;
    int r = place_check_members(root, members, ARRAY_LEN(members));
    if (r == 0)
        r = place_required(root, "name", &name);
    if (r == 0)
        r = place_text(&name, city->name, sizeof city->name, true);
    if (r == 0)
        r = read_grid(root, &grid);
    if (r == 0)
        r = read_or_make_intersections(root, &grid, city);
    if (r == 0)
        r = read_sensors(root, city);
    grid_clear(&grid);
    return r;
}

int city_parse(const char *name, const char *text, size_t size, City **ret, Problem *problem) {
    PlaceFile file = {.name = name, .problem = problem};
    json_object *value = NULL;
    int r = place_parse(&file, text, size, &value);
    if (r < 0)
        return r;
    Place root = {.file = &file, .value = value};
    scoped(city_freep) City *city = calloc(1, sizeof *city);
    if (city)
        city->index = calloc(1, sizeof *city->index);
    r = city && city->index ? read_city(&root, city) : -ENOMEM;
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

int city_load(const char *path, City **ret, Problem *problem) {
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
    r = city_parse(path, text, size, ret, problem);
    free(text);
    return r;
}

City *city_free(City *city) {
    if (!city)
        return NULL;
    for (size_t kind = 0; kind < SENSOR_KIND_COUNT; kind++) {
        free(city->sensors[kind]);
        if (city->index)
            id_index_free(city->index->sensors[kind]);
    }
    if (city->index)
        id_index_free(city->index->intersections);
    free(city->index);
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

/* Of the city file: the grid, and the intersections on it. */
#include "settings/city-private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LINES_MAX = 1000,           /* rows, and columns */
    INTERSECTIONS_MAX = 100000, /* a grid of a few kilobytes could ask for a million */
    COLUMN_MAX = 1000000,
    BLOCK_METRES = 200, /* between neighbours of a city that gives no coordinates */
};
#define COORDINATE_MAX_METRES 1e7

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
    static const char *const members[] = {"id",     "row",    "column",     "x",         "y",
                                          "name",   "policy", "approaches", "movements", "conflicts",
                                          "phases", "times",  "plan"};
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

int city_read_intersections(const Place *root, City *city) {
    Grid grid = {0};
    int r = read_grid(root, &grid);
    if (r == 0)
        r = read_or_make_intersections(root, &grid, city);
    grid_clear(&grid);
    return r;
}

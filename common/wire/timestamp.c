/* Calendar arithmetic of its own: gmtime and strptime accept more than one form, know locales and cost more
 * than the rest of a decoded event. Days are counted from 1970-01-01 in the proleptic Gregorian calendar. */
#include "wire/timestamp.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

enum { SEC_PER_DAY = 86400, FIRST_YEAR = 1970, LAST_YEAR = 9999 };

static const char form[] = "0000-00-00T00:00:00Z"; /* 0 stands for any digit */

static bool is_leap(unsigned year) {
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static unsigned days_in_month(unsigned year, unsigned month) {
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && is_leap(year));
}

static unsigned days_before_month(unsigned year, unsigned month) {
    static const unsigned short days[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    return days[month - 1] + (month > 2 && is_leap(year));
}

/* Days from 1970-01-01 to the first of January of `year`. */
static uint64_t days_before_year(unsigned year) {
    uint64_t past = year - 1;
    uint64_t past_1970 = FIRST_YEAR - 1;
    uint64_t leap_days =
        (past / 4 - past / 100 + past / 400) - (past_1970 / 4 - past_1970 / 100 + past_1970 / 400);
    return (uint64_t)(year - FIRST_YEAR) * 365 + leap_days;
}

static void put_digits(char *at, unsigned n_digits, unsigned value) {
    for (unsigned i = n_digits; i-- > 0; value /= 10)
        at[i] = (char)('0' + value % 10);
}

static unsigned take_two(const char *at) {
    return (unsigned)(at[0] - '0') * 10 + (unsigned)(at[1] - '0');
}

TimestampText timestamp_format(Wall instant) {
    uint64_t last_sec = days_before_year(LAST_YEAR + 1) * SEC_PER_DAY - 1;
    uint64_t sec = instant.usec / USEC_PER_SEC;
    if (sec > last_sec)
        sec = last_sec;
    uint64_t days = sec / SEC_PER_DAY;
    unsigned second_of_day = (unsigned)(sec % SEC_PER_DAY);

    unsigned year =
        FIRST_YEAR + (unsigned)(days / 366); /* not after the true year; at most six steps before it */
    while (days_before_year(year + 1) <= days)
        year++;
    unsigned day = (unsigned)(days - days_before_year(year));
    unsigned month = 1;
    for (; day >= days_in_month(year, month); month++)
        day -= days_in_month(year, month);

    TimestampText ret;
    for (size_t i = 0; i < sizeof form; i++)
        ret.text[i] = form[i];
    put_digits(ret.text, 4, year);
    put_digits(ret.text + 5, 2, month);
    put_digits(ret.text + 8, 2, day + 1);
    put_digits(ret.text + 11, 2, second_of_day / 3600);
    put_digits(ret.text + 14, 2, second_of_day / 60 % 60);
    put_digits(ret.text + 17, 2, second_of_day % 60);
    return ret;
}

static uint64_t eight_at(const char *text) {
    uint64_t eight;
    memcpy(&eight, text, sizeof eight);
    return eight;
}

/* Whether eight bytes have the form from `at` on: what differs from a 0 of it by more than 9, or from another byte of it at
 * all, reaches the top bit of its byte. */
static bool has_form_at(const char *text, size_t at) {
    static const char room[] =
        "vvvv\177vv\177vv\177vv\177vv\177vv\177"; /* 0x80 less what may differ, less 1 */
    static_assert(sizeof room == sizeof form && 'v' == 0x7F - 9, "one for each byte of the form");
    uint64_t differs = eight_at(text + at) ^ eight_at(form + at);
    return (((differs + eight_at(room + at)) | differs) & UINT64_C(0x8080808080808080)) == 0;
}

static bool has_form(const char *text, size_t size) {
    const size_t last = sizeof form - 1 - sizeof(uint64_t);
    return size == sizeof form - 1 && has_form_at(text, 0) && has_form_at(text, sizeof(uint64_t)) &&
           has_form_at(text, last);
}

int timestamp_parse(const char *text, size_t size, Wall *ret) {
    if (!has_form(text, size))
        return -EINVAL;
    unsigned year = take_two(text) * 100 + take_two(text + 2), month = take_two(text + 5),
             day = take_two(text + 8);
    unsigned hour = take_two(text + 11), minute = take_two(text + 14), second = take_two(text + 17);
    if (year < FIRST_YEAR || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
        return -EINVAL;
    if (hour > 23 || minute > 59 || second > 59)
        return -EINVAL;
    uint64_t days = days_before_year(year) + days_before_month(year, month) + day - 1;
    *ret = (Wall){(days * SEC_PER_DAY + hour * 3600 + minute * 60 + second) * USEC_PER_SEC};
    return 0;
}

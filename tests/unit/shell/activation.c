/* Descriptors from systemd: taken by name and port, used once, visible when nobody took them. The test plays
 * systemd for itself: it puts listening sockets at descriptor 3 and up and says so in the environment. */
#include "harness.h"

#include "shell/activation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

enum { FIRST_FD = 3, FDS_MAX = 4 };

/* The numbers belong to systemd's protocol; what the test runner left open there is not ours to keep. */
static void pass_descriptors(const int *fds, size_t n, const char *names) {
    char number[16];
    int high[FDS_MAX];
    for (size_t i = 0; i < n; i++) {
        high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 100);
        close(fds[i]);
    }
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(dup2(high[i], FIRST_FD + (int)i), FIRST_FD + (int)i);
        close(high[i]);
    }
    snprintf(number, sizeof number, "%d", getpid());
    setenv("LISTEN_PID", number, 1);
    snprintf(number, sizeof number, "%zu", n);
    setenv("LISTEN_FDS", number, 1);
    setenv("LISTEN_FDNAMES", names, 1);
}

static int keep_low_descriptors_free(void **state) {
    (void)state;
    for (int fd = FIRST_FD; fd < FIRST_FD + FDS_MAX; fd++)
        close(fd);
    for (int fd = FIRST_FD; fd < FIRST_FD + FDS_MAX; fd++)
        assert_int_equal(open("/dev/null", O_RDONLY), fd);
    return 0;
}

static const LinkHandlers handlers = {.on_frame = inbox_take};

static bool inbox_is_filled(void *userdata) {
    return ((Inbox *)userdata)->n > 0;
}

static void push_and_expect(Service *service, EndpointId id, Inbox *inbox) {
    void *push = foreign_peer(service, ZMQ_PUSH, id);
    assert_int_equal(zmq_send(push, "hello", 5, 0), 5);
    run_until(service, inbox_is_filled, inbox);
    assert_string_equal(inbox->last, "hello");
    foreign_close(push);
}

static void a_link_uses_the_descriptor_of_its_name_and_binds_nothing_itself(void **state) {
    (void)state;
    Inbox inbox = {0};
    Problem problem = {""};
    Link *link = NULL;
    const int fds[] = {listen_on(5560), listen_on(5563)};

    pass_descriptors(fds, 2, "broker:store.primary");
    Service *service = make_service("traffic-test", NULL);
    /* Would fail with EADDRINUSE if it bound the port itself: the passed socket has it. */
    assert_int_equal(link_bind(service, ENDPOINT_STORE_PRIMARY, &handlers, &inbox, &link, &problem), 0);
    push_and_expect(service, ENDPOINT_STORE_PRIMARY, &inbox);
    link_free(link);
    service_free(service);
}

static void two_links_use_a_descriptor_each_and_a_third_binds_itself(void **state) {
    (void)state;
    Inbox inboxes[3] = {0};
    Problem problem = {""};
    Link *links[3] = {NULL};
    static const EndpointId ids[] = {ENDPOINT_STORE_PRIMARY, ENDPOINT_STORE_REPLICA,
                                     ENDPOINT_SIGNAL_COMMANDS};
    const int fds[] = {listen_on(5563), listen_on(5564)};

    pass_descriptors(fds, 2, "store.primary:store.replica");
    Service *service = make_service("traffic-test", NULL);
    for (size_t i = 0; i < 3; i++) {
        if (link_bind(service, ids[i], &handlers, &inboxes[i], &links[i], &problem) < 0)
            fail_msg("%s", problem.text);
        push_and_expect(service, ids[i], &inboxes[i]);
    }
    for (size_t i = 0; i < 3; i++)
        link_free(links[i]);
    service_free(service);
}

static void refused_descriptor(int fd, const char *sentence) {
    Inbox inbox = {0};
    Problem problem = {""};
    Link *link = NULL;

    pass_descriptors(&fd, 1, "store.primary");
    Service *service = make_service("traffic-test", NULL);
    assert_int_equal(link_bind(service, ENDPOINT_STORE_PRIMARY, &handlers, &inbox, &link, &problem), -EINVAL);
    assert_null(link);
    if (!strstr(problem.text, sentence))
        fail_msg("\"%s\" does not say \"%s\"", problem.text, sentence);
    service_free(service);
}

static void a_descriptor_of_another_port_is_refused(void **state) {
    (void)state;
    refused_descriptor(listen_on(5564),
                       "expected a socket listening on TCP port 5563 from systemd, got one on port 5564");
}

static void a_descriptor_that_does_not_listen_is_refused(void **state) {
    (void)state;
    refused_descriptor(socket(AF_INET, SOCK_STREAM, 0), "got one that does not listen");
}

static void a_descriptor_that_is_no_socket_is_refused(void **state) {
    (void)state;
    refused_descriptor(open("/dev/null", O_RDONLY), "is no socket");
}

static void a_descriptor_is_taken_once_and_the_others_are_left_by_name(void **state) {
    (void)state;
    Activation *activation = NULL;
    const int fds[] = {listen_on(0), listen_on(0)};

    pass_descriptors(fds, 2, "relay:other");
    assert_int_equal(activation_new(&activation), 0);
    assert_null(getenv("LISTEN_FDS"));
    assert_int_equal(activation_take(activation, "relay"), FIRST_FD);
    assert_int_equal(activation_take(activation, "relay"), -ENOENT);
    assert_int_equal(activation_take(activation, "broker"), -ENOENT);
    assert_string_equal(activation_left(activation, 0), "other");
    assert_null(activation_left(activation, 1));
    close(FIRST_FD);
    activation_free(activation);
    assert_int_equal(fcntl(FIRST_FD + 1, F_GETFD), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_link_uses_the_descriptor_of_its_name_and_binds_nothing_itself,
                               keep_low_descriptors_free),
        cmocka_unit_test_setup(two_links_use_a_descriptor_each_and_a_third_binds_itself,
                               keep_low_descriptors_free),
        cmocka_unit_test_setup(a_descriptor_of_another_port_is_refused, keep_low_descriptors_free),
        cmocka_unit_test_setup(a_descriptor_that_does_not_listen_is_refused, keep_low_descriptors_free),
        cmocka_unit_test_setup(a_descriptor_that_is_no_socket_is_refused, keep_low_descriptors_free),
        cmocka_unit_test_setup(a_descriptor_is_taken_once_and_the_others_are_left_by_name,
                               keep_low_descriptors_free),
    };
    return cmocka_run_group_tests_name("activation", tests, NULL, NULL);
}

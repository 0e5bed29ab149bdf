/* Places as they stand in jig files, and whether two are one. */
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "jigs/place.h"

static void good_places_are_read_and_written_back(void **state)
{
    (void)state;
    static const struct {
        const char *text, *path;
        enum place_kind kind;
        int port;
    } places[] = {
        {"serial:/dev/ttyACM0", "/dev/ttyACM0", PLACE_SERIAL, 0},
        {"serial:/dev/serial/by-path/pci-0:1.2", "/dev/serial/by-path/pci-0:1.2", PLACE_SERIAL, 0},
        {"serial:usb:1-1", "1-1", PLACE_SERIAL_USB, 0},
        {"serial:usb:1-1.4.2", "1-1.4.2", PLACE_SERIAL_USB, 0},
        {"serial:usb:1-1.4.2:1.0", "1-1.4.2:1.0", PLACE_SERIAL_USB, 0},
        {"serial:usb:1-1.4.2:255.255", "1-1.4.2:255.255", PLACE_SERIAL_USB, 0},
        {"pty:/dev/pts/7", "/dev/pts/7", PLACE_PTY, 0},
        {"tcp:bench.local:2001", "bench.local", PLACE_TCP, 2001},
        {"tcp:10.0.0.7:65535", "10.0.0.7", PLACE_TCP, 65535},
        {"tcp:[::1]:2001", "::1", PLACE_TCP, 2001},
        {"usb:1-1", "1-1", PLACE_USB, 0},
        {"usb:1-1.4.2", "1-1.4.2", PLACE_USB, 0},
        {"usb:12-255.10.1.2.3.4.5", "12-255.10.1.2.3.4.5", PLACE_USB, 0},
        {"usb:serial=0042", "0042", PLACE_USB_SERIAL, 0},
        {"usb:serial=a b=\xC3\xBC", "a b=\xC3\xBC", PLACE_USB_SERIAL, 0},
        {"usbip:127.0.0.1:3240/1-12", "127.0.0.1", PLACE_USBIP, 3240},
        {"usbip:[::1]:1/abcdefghijklmnopqrstuvwxyz12345", "::1", PLACE_USBIP, 1},
    };

    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct place place;
        struct failure failure = {0};
        char text[300];

        if (place_parse(places[i].text, &place, &failure) != 0)
            fail_msg("%s: %s", places[i].text, failure.detail);
        assert_int_equal(place.kind, places[i].kind);
        assert_string_equal(place.path, places[i].path);
        assert_int_equal(place.port, places[i].port);
        place_to_text(&place, text, sizeof text);
        assert_string_equal(text, places[i].text);
    }
}

static void bad_places_are_refused(void **state)
{
    (void)state;
    char long_path[400] = "serial:/";
    static const char *const texts[] = {
        "",          "/dev/ttyACM0",   "serial:",        "serial:ttyACM0", "pty:3",
        "usb",       "tcp:",           "tcp:host",       "tcp:host:",      "tcp:host:0",
        "tcp::2001", "tcp:host:65536", "tcp:host:+2001", "tcp:::1:2001",   "tcp:host:2001x",
        "tcp:[]:1",  "Serial:/dev/a",
    };
    struct place place;
    struct failure failure;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        memset(&failure, 0, sizeof failure);
        if (place_parse(texts[i], &place, &failure) == 0)
            fail_msg("'%s' was taken", texts[i]);
        assert_int_equal(failure.code, FAILURE_JIG_INVALID);
        assert_non_null(strstr(failure.detail, "expected serial:/dev/"));
    }
    memset(long_path + strlen(long_path), 'x', 300);
    memset(&failure, 0, sizeof failure);
    assert_int_equal(place_parse(long_path, &place, &failure), -1);
    assert_non_null(strstr(failure.detail, "at most 255"));
}

static void bad_usb_places_say_what_was_expected(void **state)
{
    (void)state;
    char long_serial[150] = "usb:serial=";
    const struct {
        const char *text, *says;
    } places[] = {
        {"usb:", "usb:1-1.4.2"},
        {"usb:1", "usb:1-1.4.2"},
        {"usb:1-", "usb:1-1.4.2"},
        {"usb:1.1", "usb:1-1.4.2"},
        {"usb:1-1.", "usb:1-1.4.2"},
        {"usb:1-1-1", "usb:1-1.4.2"},
        {"usb:0-1", "usb:1-1.4.2"},
        {"usb:1-0", "usb:1-1.4.2"},
        {"usb:1-01", "usb:1-1.4.2"},
        {"usb:1-256", "usb:1-1.4.2"},
        {"usb:1-1:1.0", "usb:1-1.4.2"},
        {"usb:1-1/../..", "usb:1-1.4.2"},
        {"usb:1-1.1.1.1.1.1.1.1", "usb:1-1.4.2"},
        {"usb:001-1", "usb:1-1.4.2"},
        {"usb:serial=", "0 characters, expected 1 to 126"},
        {"usb:serial=a\nb", "control character"},
        {"serial:usb:", "serial:usb:1-1.4.2:1.0"},
        {"serial:usb:serial=1", "serial:usb:1-1.4.2:1.0"},
        {"serial:usb:1-1:", "serial:usb:1-1.4.2:1.0"},
        {"serial:usb:1-1:1", "serial:usb:1-1.4.2:1.0"},
        {"serial:usb:1-1:1.", "serial:usb:1-1.4.2:1.0"},
        {"serial:usb:1-1:0.1", "serial:usb:1-1.4.2:1.0"},
        {"serial:usb:1-1:1.256", "serial:usb:1-1.4.2:1.0"},
        {"serial:usb:1-1:1.0.0", "serial:usb:1-1.4.2:1.0"},
        {"serial:usb:1-1:1. 0", "serial:usb:1-1.4.2:1.0"},
        {"serial:usb:1-1/../1-2:1.0", "serial:usb:1-1.4.2:1.0"},
        {"usbip:127.0.0.1/1-1", "expected usbip:127.0.0.1:PORT/BUSID"},
        {"usbip:127.0.0.1:3240", "expected usbip:127.0.0.1:PORT/BUSID"},
        {"usbip:127.0.0.1:3240/", "expected usbip:127.0.0.1:PORT/BUSID"},
        {"usbip:127.0.0.1:0/1-1", "expected usbip:127.0.0.1:PORT/BUSID"},
        {"usbip:127.0.0.1:3240/1 1", "expected usbip:127.0.0.1:PORT/BUSID"},
        {"usbip:127.0.0.1:3240/abcdefghijklmnopqrstuvwxyz123456", "expected usbip:127.0.0.1:PORT"},
        {"usbip:localhost:3240/1-1", "this machine only"},
        {"usbip:0.0.0.0:3240/1-1", "this machine only"},
        {"usbip:128.0.0.1:3240/1-1", "found '128.0.0.1', expected 127.0.0.1"},
        {"usbip:[::2]:3240/1-1", "this machine only"},
        {"usbip:[::ffff:127.0.0.1]:3240/1-1", "this machine only"},
        {long_serial, "127 characters, expected 1 to 126"},
    };

    memset(long_serial + strlen(long_serial), 'x', 127);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct place place;
        struct failure failure = {0};

        if (place_parse(places[i].text, &place, &failure) == 0)
            fail_msg("'%s' was taken", places[i].text);
        assert_int_equal(failure.code, FAILURE_JIG_INVALID);
        if (strstr(failure.detail, places[i].says) == NULL)
            fail_msg("'%s': %s", places[i].text, failure.detail);
    }
}

static struct place parsed(const char *text)
{
    struct place place;

    assert_int_equal(place_parse(text, &place, NULL), 0);
    return place;
}

static bool same(const char *a, const char *b)
{
    struct place place_a = parsed(a), place_b = parsed(b);
    bool result = place_same(&place_a, &place_b);

    assert_int_equal(place_same(&place_b, &place_a), result);
    return result;
}

static void links_and_device_numbers_are_followed(void **state)
{
    (void)state;
    char directory[] = "/tmp/gangflash-place-XXXXXX", link_path[64], text[80];

    assert_non_null(mkdtemp(directory));
    snprintf(link_path, sizeof link_path, "%s/by-path", directory);
    assert_int_equal(symlink("/dev/null", link_path), 0);
    snprintf(text, sizeof text, "serial:%s", link_path);
    assert_true(same(text, "serial:/dev/null"));
    assert_true(same(text, "pty:/dev/../dev/null"));
    assert_false(same(text, "serial:/dev/zero"));
    assert_false(same("serial:/dev/none-1", "serial:/dev/none-2"));
    assert_true(same("serial:/dev/none-1", "serial:/dev/none-1"));
    assert_int_equal(unlink(link_path), 0);
    assert_int_equal(rmdir(directory), 0);
}

static bool resolves(const char *host)
{
    struct addrinfo *addresses = NULL;

    if (getaddrinfo(host, NULL, NULL, &addresses) != 0)
        return false;
    freeaddrinfo(addresses);
    return true;
}

static void network_places_are_compared_by_host_and_port(void **state)
{
    (void)state;
    struct place none = {.kind = PLACE_NONE};

    assert_true(same("tcp:Bench:2001", "tcp:bench:2001"));
    if (resolves("localhost")) /* not on every bare machine */
        assert_true(same("tcp:127.0.0.1:2001", "tcp:localhost:2001"));
    assert_false(same("tcp:127.0.0.1:2001", "tcp:127.0.0.2:2001"));
    assert_false(same("tcp:bench:2001", "tcp:bench:2002"));
    assert_false(same("tcp:bench:2001", "serial:/dev/null"));
    assert_false(place_same(&none, &none));
}

static void usb_places_are_compared_by_what_they_say(void **state)
{
    (void)state;

    assert_true(same("usb:1-1.4", "usb:1-1.4"));
    assert_false(same("usb:1-1.4", "usb:1-1.4.1"));
    assert_false(same("usb:1-1.4", "usb:2-1.4"));
    assert_true(same("usb:serial=1", "usb:serial=1"));
    assert_false(same("usb:serial=a", "usb:serial=A"));
    assert_false(same("usb:serial=1-1.4", "usb:1-1.4")); /* nothing is plugged in there */
    assert_true(same("usbip:127.0.0.1:1/1-1", "usbip:127.0.0.1:1/1-1"));
    assert_false(same("usbip:127.0.0.1:1/1-1", "usbip:127.0.0.1:2/1-1"));
    assert_false(same("usbip:127.0.0.1:1/1-1", "usbip:127.0.0.1:1/1-2"));
    assert_false(same("usbip:127.0.0.1:1/1-1", "tcp:127.0.0.1:1"));
    assert_false(same("usb:1-1", "serial:/dev/null"));
}

static void serial_ports_on_usb_are_compared_by_where_they_are(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_cdc;
    } places[] = {
        {"serial:/dev/ttyACM77", true}, {"serial:/dev/ttyUSB77", false},
        {"serial:/dev/null", false},    {"serial:usb:200-7", false},
        {"usb:200-7", false},           {"tcp:/dev/ttyACM0:1", false},
    };

    assert_true(same("serial:usb:200-7", "serial:usb:200-7"));
    assert_true(same("serial:usb:200-7", "serial:usb:200-7:1.2"));
    assert_true(same("serial:usb:200-7:1.2", "serial:usb:200-7:1.2"));
    assert_false(same("serial:usb:200-7:1.0", "serial:usb:200-7:1.2"));
    assert_false(same("serial:usb:200-7", "serial:usb:200-7.1"));
    assert_false(same("serial:usb:200-7", "serial:usb:200-71"));
    assert_true(same("serial:usb:200-7:1.0", "usb:200-7"));
    assert_false(same("serial:usb:200-7", "usb:200-6"));
    assert_false(same("serial:usb:200-7", "usb:serial=7"));
    assert_false(same("serial:usb:200-7", "serial:/dev/ttyACM0"));
    assert_false(same("serial:usb:200-7", "tcp:127.0.0.1:1"));
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct place place = parsed(places[i].text);

        assert_int_equal(place_is_cdc(&place), places[i].is_cdc);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_places_are_read_and_written_back),
        cmocka_unit_test(bad_places_are_refused),
        cmocka_unit_test(bad_usb_places_say_what_was_expected),
        cmocka_unit_test(links_and_device_numbers_are_followed),
        cmocka_unit_test(network_places_are_compared_by_host_and_port),
        cmocka_unit_test(usb_places_are_compared_by_what_they_say),
        cmocka_unit_test(serial_ports_on_usb_are_compared_by_where_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

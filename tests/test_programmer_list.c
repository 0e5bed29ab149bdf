/* What is found on a machine becomes places for jig files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "jigs/programmer_list.h"
#include "jigs/serial_path.h"

/* A directory with two "devices", and by-path names for them. */
struct ports {
    char directory[64];
};

static void path_of(const struct ports *ports, const char *name, char path[128])
{
    snprintf(path, 128, "%s/%s", ports->directory, name);
}

static void make_file(const struct ports *ports, const char *name)
{
    char path[128];

    path_of(ports, name, path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
}

static void make_link(const struct ports *ports, const char *target, const char *name)
{
    char path[128];

    path_of(ports, name, path);
    assert_int_equal(symlink(target, path), 0);
}

static int make_ports(void **state)
{
    struct ports *ports = calloc(1, sizeof *ports);

    strcpy(ports->directory, "/tmp/gangflash-ports-XXXXXX");
    assert_non_null(mkdtemp(ports->directory));
    make_file(ports, "ttyUSB0");
    make_file(ports, "ttyUSB1");
    make_link(ports, "ttyUSB1", "pci-0-usbv2-0:1.2:1.0");
    make_link(ports, "ttyUSB1", "pci-0-usb-0:1.2:1.0");
    make_link(ports, "gone", "pci-0-usb-0:1.3:1.0");
    *state = ports;
    return 0;
}

static int remove_ports(void **state)
{
    static const char *const names[] = {"ttyUSB0", "ttyUSB1", "pci-0-usbv2-0:1.2:1.0",
                                        "pci-0-usb-0:1.2:1.0", "pci-0-usb-0:1.3:1.0"};
    struct ports *ports = *state;
    char path[128];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        path_of(ports, names[i], path);
        unlink(path);
    }
    int result = rmdir(ports->directory);
    free(ports);
    return result;
}

static void a_port_is_known_by_its_path(void **state)
{
    const struct ports *ports = *state;
    char device[128], name[256], expected[128];

    path_of(ports, "ttyUSB1", device);
    path_of(ports, "pci-0-usb-0:1.2:1.0", expected);
    assert_true(serial_path_find(ports->directory, device, name, sizeof name));
    /* Not the device's own name, and the first of several. */
    assert_string_equal(name, expected);
    assert_false(serial_path_find(ports->directory, "/nowhere/tty", name, sizeof name));
    assert_string_equal(name, "");
    assert_false(serial_path_find("/nowhere", device, name, sizeof name));
    assert_false(serial_path_find(ports->directory, device, name, 16));
}

static void serial_ports_may_be_programmers(void **state)
{
    const struct ports *ports = *state;
    struct link_serial_found serial[] = {
        {.on_usb = true, .vendor = 0x2341, .product = 0x0043, .description = "Arduino Uno"},
        {.on_usb = false},
        {.on_usb = true, .vendor = 0x1A86, .product = 0x7523}};
    struct programmer_list_input input = {.serial = serial,
                                          .serial_count = 3,
                                          .by_path = ports->directory,
                                          .usb_root = "/nowhere",
                                          .tty_root = "/nowhere"};
    struct programmer_found *found = NULL;
    size_t count = 0;
    char text[300];

    snprintf(serial[0].device, sizeof serial[0].device, "%.50s/ttyUSB1", ports->directory);
    snprintf(serial[1].device, sizeof serial[1].device, "/dev/ttyS0");
    snprintf(serial[2].device, sizeof serial[2].device, "/dev/ttyUSB7");
    assert_int_equal(programmer_list_of(&input, &found, &count, NULL), 0);
    assert_int_equal(count, 3);
    /* In order of their places. */
    assert_string_equal(found[0].place.path, "/dev/ttyS0");
    assert_true(found[0].lasting);
    assert_false(found[0].on_usb);
    assert_string_equal(found[1].place.path, "/dev/ttyUSB7");
    assert_false(found[1].lasting);
    place_to_text(&found[2].place, text, sizeof text);
    assert_non_null(strstr(text, "pci-0-usb-0:1.2:1.0"));
    assert_true(strncmp(text, "serial:/", 8) == 0);
    assert_true(found[2].lasting);
    assert_int_equal(found[2].vendor, 0x2341);
    assert_non_null(strstr(found[2].description, "Arduino Uno, /tmp"));
    for (size_t i = 0; i < count; i++) {
        assert_false(found[i].by_id);
        assert_string_equal(found[i].driver->name, "stk500v1");
    }
    free(found);
}

/* Without udev's link the USB port is its name. */
static void a_serial_port_may_be_known_by_its_usb_port(void **state)
{
    (void)state;
    struct link_serial_found serial = {
        .device = "/dev/ttyACM5", .on_usb = true, .vendor = 0x2341, .product = 0x0043};
    char root[] = "/tmp/gangflash-list-XXXXXX", command[200], tty[64], text[300];
    struct programmer_list_input input = {.serial = &serial,
                                          .serial_count = 1,
                                          .by_path = "/nowhere",
                                          .usb_root = root,
                                          .tty_root = tty};
    struct programmer_found *found = NULL;
    size_t count = 0;

    assert_non_null(mkdtemp(root));
    snprintf(tty, sizeof tty, "%s/tty", root);
    snprintf(command, sizeof command,
             "cd %s && mkdir -p 1-1.4:1.0/tty/ttyACM5 tty/ttyACM5 && "
             "ln -s ../../1-1.4:1.0 tty/ttyACM5/device",
             root);
    assert_int_equal(system(command), 0); /* NOLINT: the name is ours */
    assert_int_equal(programmer_list_of(&input, &found, &count, NULL), 0);
    assert_int_equal(count, 1);
    place_to_text(&found[0].place, text, sizeof text);
    assert_string_equal(text, "serial:usb:1-1.4");
    assert_true(found[0].lasting);
    free(found);
    snprintf(command, sizeof command, "rm -rf %s", root);
    assert_int_equal(system(command), 0); /* NOLINT: the name is ours */
}

/* Every driver's USB ids lead to that driver; what nobody claims is passed over. */
static void usb_devices_are_taken_by_their_ids(void **state)
{
    const struct ports *ports = *state;
    struct link_usb_found usb[2] = {{.place = {.kind = PLACE_USB, .path = "1-1.10"}},
                                    {.place = {.kind = PLACE_USB, .path = "1-1.2"}}};
    struct programmer_list_input input = {.usb = usb, .usb_count = 2, .by_path = ports->directory};
    struct programmer_found *found = NULL;
    size_t count = 0, driver_count = 0;
    const struct programmer_driver *const *drivers = programmer_drivers(&driver_count);

    for (size_t i = 0; i < driver_count; i++) {
        for (size_t j = 0; j < drivers[i]->usb_id_count; j++) {
            const struct programmer_usb_id *id = &drivers[i]->usb_ids[j];
            struct link_usb_identity identity = {.vendor = id->vendor, .product = id->product};

            snprintf(identity.product_name, sizeof identity.product_name, "%s",
                     id->product_name != NULL ? id->product_name : "anything");
            strcpy(identity.manufacturer, "somebody");
            usb[0].identity = usb[1].identity = identity;
            assert_int_equal(programmer_list_of(&input, &found, &count, NULL), 0);
            assert_int_equal(count, 2);
            assert_string_equal(found[0].place.path, "1-1.2");
            assert_string_equal(found[1].place.path, "1-1.10");
            assert_ptr_equal(found[0].driver, drivers[i]);
            assert_true(found[0].by_id && found[0].lasting && found[0].on_usb);
            assert_non_null(strstr(found[0].description, ", somebody"));
            free(found);
        }
    }
    usb[0].identity = usb[1].identity = (struct link_usb_identity){.vendor = 0x1D6B, .product = 2};
    assert_int_equal(programmer_list_of(&input, &found, &count, NULL), 0);
    assert_int_equal(count, 0);
    free(found);
}

static void abilities_are_said(void **state)
{
    struct programmer_driver driver = {.sck_hz = 125000};
    char text[96];

    (void)state;
    programmer_abilities_to_text(&driver, text, sizeof text);
    assert_string_equal(text, "SCK 125 kHz");
    driver = (struct programmer_driver){
        .sck_slowest_hz = 500, .sck_fastest_hz = 1500000, .flash_bytes_max = 65536};
    programmer_abilities_to_text(&driver, text, sizeof text);
    assert_string_equal(text, "SCK 500 Hz to 1.5 MHz, flash up to 64 KiB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_port_is_known_by_its_path),
        cmocka_unit_test(a_serial_port_may_be_known_by_its_usb_port),
        cmocka_unit_test(serial_ports_may_be_programmers),
        cmocka_unit_test(usb_devices_are_taken_by_their_ids),
        cmocka_unit_test(abilities_are_said),
    };
    return cmocka_run_group_tests(tests, make_ports, remove_ports);
}

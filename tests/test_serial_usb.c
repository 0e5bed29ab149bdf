/* Serial ports on USB: which one is at a port, and where one is plugged in, in trees like sysfs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "jigs/serial_usb.h"

struct tree {
    char root[64], usb[96], tty[96], adapters[96];
};

static void make_folder(const char *root, const char *path)
{
    char command[300];

    snprintf(command, sizeof command, "mkdir -p '%s/%s'", root, path);
    assert_int_equal(system(command), 0); /* NOLINT: the name is ours */
}

static void put(const char *root, const char *path, const char *text)
{
    char name[300];

    snprintf(name, sizeof name, "%s/%s", root, path);
    FILE *file = fopen(name, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* The device of a tty, which is a link to the interface, or to the adapter's port below it. */
static void link_tty(const struct tree *tree, const char *tty, const char *device)
{
    char name[300], target[300];

    make_folder(tree->tty, tty);
    snprintf(name, sizeof name, "%s/%s/device", tree->tty, tty);
    snprintf(target, sizeof target, "%s/%s", tree->usb, device);
    assert_int_equal(symlink(target, name), 0);
}

/* An Uno, a Bus Pirate with two CDC ports, an FTDI adapter, one with four ports on one interface, a
 * USBasp, and an Uno behind a port whose name begins like the first one's. */
static int make_tree(void **state)
{
    struct tree *tree = calloc(1, sizeof *tree);

    strcpy(tree->root, "/tmp/gangflash-serial-XXXXXX");
    assert_non_null(mkdtemp(tree->root));
    snprintf(tree->usb, sizeof tree->usb, "%s/usb", tree->root);
    snprintf(tree->tty, sizeof tree->tty, "%s/tty", tree->root);
    snprintf(tree->adapters, sizeof tree->adapters, "%s/adapters", tree->root);
    make_folder(tree->usb, "1-1:1.0/tty/ttyACM3");
    make_folder(tree->usb, "1-1:1.1");
    make_folder(tree->usb, "1-1.4:1.0/tty/ttyACM4");
    make_folder(tree->usb, "1-2:1.10/tty/ttyACM1");
    make_folder(tree->usb, "1-2:1.2/tty/ttyACM0");
    make_folder(tree->usb, "1-3:1.0/ttyUSB12/tty/ttyUSB12");
    make_folder(tree->usb, "1-4:1.0/ttyUSB0/tty/ttyUSB0");
    make_folder(tree->usb, "1-4:1.0/ttyUSB1/tty/ttyUSB1");
    make_folder(tree->usb, "1-5:1.0");
    make_folder(tree->usb, "1-5");
    put(tree->usb, "1-5/busnum", "1\n");
    put(tree->usb, "1-5/devnum", "9\n");
    put(tree->usb, "1-5/idVendor", "16c0\n");
    put(tree->usb, "1-5/idProduct", "05dc\n");
    put(tree->usb, "1-5/bcdDevice", "0104\n");
    put(tree->usb, "1-5/product", "USBasp\n");
    link_tty(tree, "ttyACM3", "1-1:1.0");
    link_tty(tree, "ttyACM0", "1-2:1.2");
    link_tty(tree, "ttyUSB12", "1-3:1.0/ttyUSB12");
    make_folder(tree->root, "platform/serial8250");
    make_folder(tree->tty, "ttyS0");
    make_folder(tree->adapters, "ttyUSB12");
    put(tree->adapters, "ttyUSB12/latency_timer", "16\n");
    *state = tree;
    return 0;
}

static int remove_tree(void **state)
{
    struct tree *tree = *state;
    char command[100];

    snprintf(command, sizeof command, "rm -rf '%s'", tree->root);
    int result = system(command); /* NOLINT: the name is ours */
    free(tree);
    return result;
}

static void a_port_leads_to_its_tty(void **state)
{
    const struct tree *tree = *state;
    static const struct {
        const char *port, *device; /* NULL: none */
        const char *says;
        enum failure_code code;
    } cases[] = {
        {"1-1", "/dev/ttyACM3", NULL, FAILURE_NONE},
        {"1-1:1.0", "/dev/ttyACM3", NULL, FAILURE_NONE},
        {"1-1.4", "/dev/ttyACM4", NULL, FAILURE_NONE},
        {"1-2:1.2", "/dev/ttyACM0", NULL, FAILURE_NONE},
        {"1-2:1.10", "/dev/ttyACM1", NULL, FAILURE_NONE},
        {"1-3", "/dev/ttyUSB12", NULL, FAILURE_NONE},
        {"1-1:1.1", NULL, "nothing is plugged in there", FAILURE_PLACE_MISSING},
        {"1-7", NULL, "serial:usb:1-7: nothing is plugged in there", FAILURE_PLACE_MISSING},
        {"1-5", NULL, "16C0:05DC 'USBasp' has no serial port there", FAILURE_PLACE_MISSING},
        {"1-5:1.1", NULL, "serial:usb:1-5:1.1: 16C0:05DC 'USBasp'", FAILURE_PLACE_MISSING},
        {"1-2", NULL, "several serial ports, expected serial:usb:1-2:1.2 or serial:usb:1-2:1.10",
         FAILURE_PLACE_TWICE},
        {"1-4", NULL, "expected one of them by its name in /dev/serial/by-path",
         FAILURE_PLACE_TWICE},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char device[64] = "";
        struct failure failure = {0};
        int result = serial_usb_find(tree->usb, cases[i].port, device, sizeof device, &failure);

        if (cases[i].device != NULL) {
            if (result != 0)
                fail_msg("%s: %s", cases[i].port, failure.detail);
            assert_string_equal(device, cases[i].device);
        } else {
            assert_int_equal(result, -1);
            assert_int_equal(failure.code, cases[i].code);
            if (strstr(failure.detail, cases[i].says) == NULL)
                fail_msg("%s: %s", cases[i].port, failure.detail);
        }
    }
    assert_int_equal(serial_usb_find("/nowhere", "1-1", (char[64]){0}, 64, NULL), -1);
}

/* What comes back under another number at the same place is found. */
static void a_new_number_is_found_at_the_old_place(void **state)
{
    const struct tree *tree = *state;
    char from[200], to[200], device[64] = "";

    snprintf(from, sizeof from, "%s/1-1:1.0/tty/ttyACM3", tree->usb);
    snprintf(to, sizeof to, "%s/1-1:1.0/tty/ttyACM7", tree->usb);
    assert_int_equal(rename(from, to), 0);
    assert_int_equal(serial_usb_find(tree->usb, "1-1", device, sizeof device, NULL), 0);
    assert_string_equal(device, "/dev/ttyACM7");
    assert_int_equal(rename(to, from), 0);
}

static void a_tty_leads_to_its_port(void **state)
{
    const struct tree *tree = *state;
    static const struct {
        const char *device, *port;
    } cases[] = {
        {"/dev/ttyACM3", "1-1"}, {"/dev/ttyACM0", "1-2:1.2"}, {"/dev/ttyUSB12", "1-3"},
        {"/dev/ttyS0", ""},      {"/dev/ttyACM9", ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char port[64] = "?";

        assert_int_equal(serial_usb_port(tree->tty, tree->usb, cases[i].device, port, sizeof port),
                         cases[i].port[0] != '\0');
        assert_string_equal(port, cases[i].port);
    }
}

static void an_adapter_is_told_to_hurry(void **state)
{
    const struct tree *tree = *state;
    char name[200], text[8] = "";

    assert_true(serial_usb_hurry(tree->adapters, "/dev/ttyUSB12"));
    snprintf(name, sizeof name, "%s/ttyUSB12/latency_timer", tree->adapters);
    FILE *file = fopen(name, "re");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof text, file));
    assert_int_equal(fclose(file), 0);
    assert_int_equal(text[0], '1');
    assert_int_equal(text[1], '\n');
    assert_false(serial_usb_hurry(tree->adapters, "/dev/ttyACM3"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_port_leads_to_its_tty),
        cmocka_unit_test(a_new_number_is_found_at_the_old_place),
        cmocka_unit_test(a_tty_leads_to_its_port),
        cmocka_unit_test(an_adapter_is_told_to_hurry),
    };
    return cmocka_run_group_tests(tests, make_tree, remove_tree);
}

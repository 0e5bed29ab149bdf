/* What the kernel tells about USB devices, read from a tree of files like its own. */
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

#include "jigs/programmer.h"
#include "jigs/usb_permission.h"
#include "jigs/usb_sysfs.h"

struct tree {
    char root[64];
};

static void put(const struct tree *tree, const char *path, const char *name, const char *text)
{
    char file_name[256];

    snprintf(file_name, sizeof file_name, "%s/%s", tree->root, path);
    mkdir(file_name, 0700);
    snprintf(file_name, sizeof file_name, "%s/%s/%s", tree->root, path, name);
    FILE *file = fopen(file_name, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void plug_in(const struct tree *tree, const char *path, const char *address,
                    const char *serial)
{
    put(tree, path, "busnum", "1\n");
    put(tree, path, "devnum", address);
    put(tree, path, "idVendor", "16c0\n");
    put(tree, path, "idProduct", "05dc\n");
    put(tree, path, "bcdDevice", "0104\n");
    put(tree, path, "product", "USBasp\n");
    if (serial != NULL)
        put(tree, path, "serial", serial);
}

static void bind_driver(const struct tree *tree, const char *path, const char *interface,
                        const char *driver)
{
    char link_name[256];

    put(tree, path, "bConfigurationValue", "1\n");
    put(tree, interface, "bInterfaceNumber", "00\n");
    snprintf(link_name, sizeof link_name, "%s/%s/driver", tree->root, interface);
    assert_int_equal(symlink(driver, link_name), 0);
}

static void make_tree(struct tree *tree)
{
    strcpy(tree->root, "/tmp/gangflash-sysfs-XXXXXX");
    assert_non_null(mkdtemp(tree->root));
}

static void remove_tree(const struct tree *tree)
{
    char command[100];

    snprintf(command, sizeof command, "rm -rf '%s'", tree->root);
    assert_int_equal(system(command), 0); /* NOLINT: the name is ours */
}

static void devices_are_listed_by_their_ports(void **state)
{
    (void)state;
    struct tree tree;
    struct usb_sysfs_device *devices = NULL;
    struct failure failure = {0};
    size_t count = 0;
    static const char *const paths[] = {"1-2", "1-10", "1-10.1", "2-1.4.2"};

    make_tree(&tree);
    plug_in(&tree, "2-1.4.2", "7\n", NULL);
    plug_in(&tree, "1-10", "8\n", NULL);
    plug_in(&tree, "1-10.1", "9\n", "0042\n");
    plug_in(&tree, "1-2", "10\n", NULL);
    plug_in(&tree, "usb1", "1\n", NULL);       /* a root hub */
    put(&tree, "1-3", "busnum", "1\n");        /* on its way out */
    plug_in(&tree, "1-4", "many\n", NULL);     /* no number */
    plug_in(&tree, "1-5", "99999999\n", NULL); /* too large a one */
    bind_driver(&tree, "1-2", "1-2:1.0", "../../../bus/usb/drivers/usbfs");
    assert_int_equal(usb_sysfs_list(tree.root, &devices, &count, &failure), 0);
    assert_int_equal(count, 4);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(devices[i].path, paths[i]);
    assert_string_equal(devices[0].driver, "usbfs");
    assert_string_equal(devices[1].driver, "");
    assert_string_equal(devices[2].serial, "0042");
    assert_string_equal(devices[2].manufacturer, "");
    free(devices);
    remove_tree(&tree);
}

static void one_device_is_found_by_its_port(void **state)
{
    (void)state;
    struct tree tree;
    struct usb_sysfs_device device;
    struct failure failure = {0};
    char node[64], text[8];

    make_tree(&tree);
    plug_in(&tree, "1-1.4", "5\n", "a serial\n");
    assert_int_equal(usb_sysfs_find(tree.root, "1-1.4", &device, &failure), 0);
    assert_int_equal(device.vendor, 0x16C0);
    assert_int_equal(device.product, 0x05DC);
    assert_int_equal(device.release, 0x0104);
    assert_string_equal(device.product_name, "USBasp");
    usb_sysfs_node(&device, node, sizeof node);
    assert_string_equal(node, "/dev/bus/usb/001/005");
    assert_false(usb_sysfs_text(tree.root, "1-1.4", "manufacturer", text, sizeof text));
    assert_string_equal(text, "");
    assert_true(usb_sysfs_text(tree.root, "1-1.4", "serial", text, sizeof text));
    assert_string_equal(text, "a seria");
    assert_int_equal(usb_sysfs_find(tree.root, "1-1", &device, &failure), -1);
    assert_int_equal(failure.code, FAILURE_PLACE_MISSING);
    assert_string_equal(failure.detail, "usb:1-1: nothing is plugged in there");
    assert_int_equal(usb_sysfs_find(tree.root, "../1-1.4", &device, &failure), -1);
    remove_tree(&tree);
}

static void a_machine_without_usb_has_no_devices(void **state)
{
    (void)state;
    struct usb_sysfs_device *devices = NULL;
    struct failure failure = {0};
    size_t count = 9;

    assert_int_equal(usb_sysfs_list("/nowhere/usb", &devices, &count, &failure), 0);
    assert_int_equal(count, 0);
    assert_null(devices);
    assert_int_equal(usb_sysfs_list("/dev/null", &devices, &count, &failure), -1);
    assert_int_equal(failure.code, FAILURE_INTERNAL);
}

static void who_may_not_open_it_is_told_what_to_install(void **state)
{
    (void)state;
    struct tree tree;
    const struct usb_sysfs_device device = {
        .path = "1-1.4", .bus = 1, .address = 5, .vendor = 0x16C0, .product = 0x05DC};
    struct failure failure = {0};
    char directories[200];

    make_tree(&tree);
    snprintf(directories, sizeof directories, "/nowhere:%s/rules.d", tree.root);
    assert_int_equal(unsetenv("GANGFLASH_DATA"), 0);
    assert_int_equal(usb_permission_fail(&device, directories, &failure), -1);
    assert_int_equal(failure.code, FAILURE_PLACE_DENIED);
    assert_non_null(strstr(failure.detail, "usb:1-1.4: no permission for /dev/bus/usb/001/005; "));
    assert_non_null(strstr(failure.detail, "sudo cp " TEST_BINARY_DIR
                                           "/share/gangflash/udev/60-gangflash.rules /etc/udev/"));
    assert_non_null(strstr(failure.detail, "sudo udevadm trigger"));
    assert_int_equal(access(TEST_BINARY_DIR "/share/gangflash/udev/" USB_PERMISSION_RULES, R_OK),
                     0);
    assert_int_equal(setenv("GANGFLASH_DATA", "/data", 1), 0);
    usb_permission_fail(&device, directories, &failure);
    assert_non_null(strstr(failure.detail, "sudo cp /data/udev/60-gangflash.rules "));
    assert_int_equal(unsetenv("GANGFLASH_DATA"), 0);
    put(&tree, "rules.d", USB_PERMISSION_RULES, "");
    usb_permission_fail(&device, directories, &failure);
    assert_non_null(strstr(failure.detail, "(16C0:05DC); the udev rules are installed: join"));
    remove_tree(&tree);
}

static bool gives_permission(FILE *rules, const struct programmer_usb_id *id)
{
    char line[256], expected[120];
    bool found = false;

    snprintf(expected, sizeof expected,
             "ATTR{idVendor}==\"%04x\", ATTR{idProduct}==\"%04x\", ENV{GANGFLASH_USB}=\"1\"\n",
             id->vendor, id->product);
    rewind(rules);
    while (!found && fgets(line, sizeof line, rules) != NULL)
        found = strcmp(line, expected) == 0;
    return found;
}

static void every_programmer_by_usb_has_a_rule(void **state)
{
    (void)state;
    FILE *rules = fopen(TEST_SOURCE_DIR "/jigs/udev/" USB_PERMISSION_RULES, "re");
    size_t count = 0, checked = 0;
    const struct programmer_driver *const *drivers = programmer_drivers(&count);

    assert_non_null(rules);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < drivers[i]->usb_id_count; k++, checked++) {
            const struct programmer_usb_id *id = &drivers[i]->usb_ids[k];

            if (!gives_permission(rules, id))
                fail_msg("%s: no rule for %04X:%04X", drivers[i]->name, id->vendor, id->product);
        }
    assert_true(checked > 0);
    assert_int_equal(fclose(rules), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_are_listed_by_their_ports),
        cmocka_unit_test(one_device_is_found_by_its_port),
        cmocka_unit_test(a_machine_without_usb_has_no_devices),
        cmocka_unit_test(who_may_not_open_it_is_told_what_to_install),
        cmocka_unit_test(every_programmer_by_usb_has_a_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The table of models that have a USB port, and that jig files know the same ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "jigs/jig.h"
#include "jigs/simbench/usb_firmware.h"
#include "jigs/simbench/usb_standard.h"

static void models_are_whole(void **state)
{
    size_t count = 0;
    const struct usb_firmware *model;
    (void)state;
    for (; (model = usb_firmware_item(count)) != NULL; count++) {
        assert_ptr_equal(usb_firmware_by_name(model->name), model); /* names are unique */
        assert_true(strlen(model->name) < sizeof((struct jig_site *)NULL)->model);
        assert_true(model->instance_bytes > 0);
        assert_non_null(model->start);
        assert_true(model->setup != NULL || model->interfaces != NULL);
        assert_non_null(model->identity.product_name);
        assert_true(model->identity.vendor != 0 && model->identity.product != 0);
    }
    assert_true(count >= 20);
    assert_null(usb_firmware_by_name("usbasp"));
}

/* The bytes of the descriptors add up, and say what the table says. */
static void descriptors_are_whole(void **state)
{
    const struct usb_firmware *model;
    (void)state;
    for (size_t i = 0; (model = usb_firmware_item(i)) != NULL; i++) {
        size_t interfaces = 0, bytes = 0;
        assert_true(model->interfaces_bytes <= USB_INTERFACES_MAX);
        assert_true(model->interfaces == NULL || model->full_speed);
        while (model->interfaces != NULL && bytes < model->interfaces_bytes) {
            const uint8_t *descriptor = model->interfaces + bytes;
            assert_true(descriptor[0] >= 2);
            interfaces += descriptor[1] == USB_INTERFACE;
            assert_true(descriptor[1] != USB_ENDPOINT ||
                        ((descriptor[2] & USB_ENDPOINT_IN) != 0 ? model->bulk_read != NULL
                                                                : model->bulk_write != NULL));
            bytes += descriptor[0];
        }
        assert_int_equal(bytes, model->interfaces_bytes);
        assert_int_equal(interfaces, model->interface_count);
    }
}

static void jig_files_know_them(void **state)
{
    const struct usb_firmware *model;
    (void)state;
    for (size_t i = 0; (model = usb_firmware_item(i)) != NULL; i++) {
        const char *programmer = jig_model_programmer(model->name);
        assert_non_null(programmer);
        assert_string_equal(programmer, model->programmer);
    }
    assert_string_equal(jig_model_programmer("pro-micro-isp"), "stk500v1");
    assert_null(jig_model_programmer("usbasp"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_are_whole),
        cmocka_unit_test(descriptors_are_whole),
        cmocka_unit_test(jig_files_know_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "jigs/link_serial.h"

#include <errno.h>
#include <libserialport.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>

#include "reports/text.h"

#define NAMES_BYTES 160

struct link_serial {
    struct sp_port *port;
};

/* "/dev/ttyACM0, /dev/ttyUSB1" for people who look for the right name. */
static void list_ports(char names[NAMES_BYTES])
{
    struct sp_port **ports = NULL;
    size_t used = 0;

    snprintf(names, NAMES_BYTES, "none");
    if (sp_list_ports(&ports) != SP_OK)
        return;
    for (size_t i = 0; ports[i] != NULL; i++) {
        const char *name = sp_get_port_name(ports[i]);
        int length = snprintf(names + used, NAMES_BYTES - used, "%s%s", used > 0 ? ", " : "", name);

        if (length < 0 || used + (size_t)length >= NAMES_BYTES) {
            snprintf(names + used, NAMES_BYTES - used, "…");
            break;
        }
        used += (size_t)length;
    }
    sp_free_port_list(ports);
}

static int fail_port(const char *path, const char *action, int error, struct failure *failure)
{
    enum failure_code code = FAILURE_PLACE_MISSING;
    char names[NAMES_BYTES];

    if (error == EBUSY || error == EACCES || error == EPERM) {
        code = error == EBUSY ? FAILURE_PLACE_BUSY : FAILURE_PLACE_DENIED;
        return failure_set(failure, code, "%s: %s: %s", path, action, strerror(error));
    }
    list_ports(names);
    return failure_set(failure, code, "%.100s: %s: %s (serial ports here: %s)", path, action,
                       error != 0 ? strerror(error) : "no such serial port", names);
}

static int configure(struct sp_port *port, unsigned baud)
{
    struct sp_port_config *config = NULL;
    enum sp_return result = sp_new_config(&config);

    if (result != SP_OK)
        return -1;
    bool set = sp_set_config_baudrate(config, (int)baud) == SP_OK &&
               sp_set_config_bits(config, 8) == SP_OK &&
               sp_set_config_parity(config, SP_PARITY_NONE) == SP_OK &&
               sp_set_config_stopbits(config, 1) == SP_OK &&
               sp_set_config_flowcontrol(config, SP_FLOWCONTROL_NONE) == SP_OK &&
               sp_set_config_dtr(config, SP_DTR_ON) == SP_OK &&
               sp_set_config_rts(config, SP_RTS_ON) == SP_OK &&
               sp_set_config(port, config) == SP_OK;
    sp_free_config(config);
    return set ? 0 : -1;
}

/* libserialport's open makes closing drop DTR. That must not happen on any way out: it resets an
 * Arduino, and with it lets go of the target; and at 1200 baud, which somebody else may have left
 * here, it starts the bootloader of a CDC board. */
static int forbid_hang_up(struct sp_port *port)
{
    struct termios settings;
    int descriptor = -1;

    if (sp_get_port_handle(port, &descriptor) != SP_OK || tcgetattr(descriptor, &settings) != 0)
        return -1;
    settings.c_cflag &= ~(tcflag_t)HUPCL;
    return tcsetattr(descriptor, TCSANOW, &settings);
}

int link_serial_open(const char *path, unsigned baud, struct link_serial **serial, int *descriptor,
                     struct failure *failure)
{
    struct link_serial *made = calloc(1, sizeof *made);

    if (made == NULL)
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "%s", path);
    if (sp_get_port_by_name(path, &made->port) != SP_OK) {
        fail_port(path, "looking for it", 0, failure);
        goto free_made;
    }
    if (sp_open(made->port, SP_MODE_READ_WRITE) != SP_OK) {
        fail_port(path, "open", sp_last_error_code(), failure);
        goto free_port;
    }
    if (forbid_hang_up(made->port) != 0 || configure(made->port, baud) != 0 ||
        sp_get_port_handle(made->port, descriptor) != SP_OK) {
        failure_set(failure, FAILURE_PLACE_MISSING, "%s: does not take 8N1 at %u baud", path, baud);
        goto close_port;
    }
    *serial = made;
    return 0;

close_port:
    sp_close(made->port);
free_port:
    sp_free_port(made->port);
free_made:
    free(made);
    return -1;
}

void link_serial_close(struct link_serial *serial)
{
    if (serial == NULL)
        return;
    sp_close(serial->port);
    sp_free_port(serial->port);
    free(serial);
}

static void fill_found(struct link_serial_found *found, const struct sp_port *port)
{
    const char *manufacturer = sp_get_port_usb_manufacturer(port);
    const char *product = sp_get_port_usb_product(port);
    int vendor_id = 0, product_id = 0;
    char description[256];

    snprintf(found->device, sizeof found->device, "%s", sp_get_port_name(port));
    found->on_usb = sp_get_port_transport(port) == SP_TRANSPORT_USB &&
                    sp_get_port_usb_vid_pid(port, &vendor_id, &product_id) == SP_OK;
    found->vendor = (uint16_t)vendor_id;
    found->product = (uint16_t)product_id;
    snprintf(description, sizeof description, "%s%s%s", product != NULL ? product : "",
             product != NULL && manufacturer != NULL ? ", " : "",
             manufacturer != NULL ? manufacturer : "");
    text_copy(found->description, sizeof found->description, description);
}

static int compare(const void *a, const void *b)
{
    return strverscmp(((const struct link_serial_found *)a)->device,
                      ((const struct link_serial_found *)b)->device);
}

int link_serial_list(struct link_serial_found **found, size_t *count, struct failure *failure)
{
    struct sp_port **ports = NULL;
    size_t port_count = 0;

    *found = NULL;
    *count = 0;
    if (sp_list_ports(&ports) != SP_OK)
        return failure_set(failure, FAILURE_INTERNAL, "the serial ports cannot be listed: %s",
                           strerror(sp_last_error_code()));
    while (ports[port_count] != NULL)
        port_count++;
    *found = calloc(port_count + 1, sizeof **found);
    for (size_t i = 0; *found != NULL && i < port_count; i++)
        fill_found(&(*found)[i], ports[i]);
    sp_free_port_list(ports);
    if (*found == NULL)
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "a list of serial ports");
    if (port_count > 1)
        qsort(*found, port_count, sizeof **found, compare);
    *count = port_count;
    return 0;
}

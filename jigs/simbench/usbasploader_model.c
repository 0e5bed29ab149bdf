#include "jigs/simbench/usbasploader_model.h"

#include <string.h>

#include "jigs/simbench/usb_port.h"

enum request {
    TRANSMIT = 3,
    READ_FLASH,
    ENABLE_PROGRAMMING,
    WRITE_FLASH,
    READ_EEPROM,
    WRITE_EEPROM,
    SET_LONG_ADDRESS
};

#define FLASH_BYTES 0x8000
#define APPLICATION_BYTES 0x7000
#define PAGE_BYTES 128
#define EEPROM_BYTES 1024
#define PAGE_US 4500   /* to erase or to write one */
#define EEPROM_US 3400 /* ATmega328P (8271J), table 8-1 */
#define BLOCK_LAST 0x02
#define SHORT_LENGTHS 0xFF /* V-USB's "no answer yet" */

static const uint8_t signature[4] = {0x1E, 0x95, 0x0F, 0};

struct loader {
    struct usb_port *port;
    uint8_t flash[FLASH_BYTES];
    uint8_t eeprom[EEPROM_BYTES];
    uint8_t page[PAGE_BYTES];
    uint8_t request;
    uint16_t address;
    uint8_t left; /* of the data stage: no more bits than these */
    bool is_last;
};

/* The first three bytes of an answer are no echo: they stay 0. */
static int transmit(struct loader *loader, const struct usb_setup *setup, uint8_t *reply)
{
    uint8_t opcode = (uint8_t)setup->value;
    uint16_t address = (uint16_t)((setup->value & 0xFF00) | (setup->index & 0xFF));
    memset(reply, 0, 4);
    if (opcode == 0x30) {
        reply[3] = signature[address & 3];
    } else if (opcode == 0xA0) {
        reply[3] = loader->eeprom[address % EEPROM_BYTES];
    } else if (opcode == 0xC0) {
        loader->eeprom[address % EEPROM_BYTES] = (uint8_t)(setup->index >> 8);
        usb_port_spend(loader->port, EEPROM_US);
    }
    return 4;
}

/* The address is always the request's own. SETLONGADDRESS waits for data as well, which an IN
 * request gets and nobody wants. */
static int begin_stage(struct loader *loader, const struct usb_setup *setup)
{
    loader->address = setup->value;
    if (setup->request == SET_LONG_ADDRESS) {
        return 0;
    }
    loader->request = setup->request;
    loader->left = (uint8_t)setup->length;
    loader->is_last = (setup->index >> 8 & BLOCK_LAST) != 0;
    if ((setup->request_type & USB_TYPE_TO_HOST) == 0) {
        return setup->length == 0 ? USB_SILENT : USB_STREAM;
    }
    if (loader->left == SHORT_LENGTHS) {
        return USB_SILENT;
    }
    return loader->left == 0 ? 0 : USB_STREAM;
}

static int setup_packet(void *instance, const struct usb_setup *setup,
                        uint8_t reply[USB_PACKET_BYTES])
{
    struct loader *loader = instance;
    int count = 0;
    if (setup->request == TRANSMIT) {
        count = transmit(loader, setup, reply);
    } else if (setup->request == ENABLE_PROGRAMMING) {
        reply[0] = 0;
        count = 1;
    } else if (setup->request >= READ_FLASH && setup->request <= SET_LONG_ADDRESS) {
        return begin_stage(loader, setup);
    }
    return count > setup->length ? setup->length : count;
}

/* Erases on demand. */
static void write_page(struct loader *loader)
{
    uint32_t start = (uint32_t)(loader->address - 1) / PAGE_BYTES * PAGE_BYTES;
    memcpy(&loader->flash[start % FLASH_BYTES], loader->page, PAGE_BYTES);
    memset(loader->page, 0xFF, sizeof loader->page);
    usb_port_spend(loader->port, 2 * PAGE_US);
}

/* A page goes when its end is reached, or with the last byte of a block that is marked as the last.
 * What would hit the bootloader is dropped, and the transfer ends well. */
static int write_flash(struct loader *loader, const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (loader->address >= APPLICATION_BYTES) {
            return 1;
        }
        loader->page[loader->address++ % PAGE_BYTES] = bytes[i];
        bool ends = loader->is_last && loader->left == 0 && i + 1 == count;
        if (loader->address % PAGE_BYTES == 0 || ends) {
            write_page(loader);
        }
    }
    return loader->left == 0;
}

static int write_packet(void *instance, const uint8_t *bytes, size_t count)
{
    struct loader *loader = instance;
    if (count > loader->left) {
        count = loader->left;
    }
    loader->left = (uint8_t)(loader->left - count);
    if (loader->request < READ_EEPROM) {
        return write_flash(loader, bytes, count);
    }
    for (size_t i = 0; i < count; i++) {
        loader->eeprom[loader->address++ % EEPROM_BYTES] = bytes[i];
        usb_port_spend(loader->port, EEPROM_US);
    }
    return loader->left == 0;
}

static int read_packet(void *instance, uint8_t *bytes, size_t count)
{
    struct loader *loader = instance;
    if (count > loader->left) {
        count = loader->left;
    }
    loader->left = (uint8_t)(loader->left - count);
    for (size_t i = 0; i < count; i++) {
        uint16_t address = loader->address++;
        bytes[i] = loader->request < READ_EEPROM ? loader->flash[address % FLASH_BYTES]
                                                 : loader->eeprom[address % EEPROM_BYTES];
    }
    return (int)count;
}

static void start(void *instance, const struct usb_firmware *firmware, struct usb_port *port)
{
    struct loader *loader = instance;
    (void)firmware;
    loader->port = port;
    memset(loader->flash, 0xFF, sizeof loader->flash);
    memset(loader->eeprom, 0xFF, sizeof loader->eeprom);
    memset(loader->page, 0xFF, sizeof loader->page);
    usb_port_reset_line(port, false); /* no board hangs on it */
}

/* All but bcdDevice is the programmer's. */
const struct usb_firmware usbasploader_models[] = {
    {
        .name = "usbasploader",
        .programmer = "usbasp",
        .identity = {0x16C0, 0x05DC, 0x0201, "www.fischl.de", "USBasp", NULL, 0xFF, 0},
        .instance_bytes = sizeof(struct loader),
        .start = start,
        .setup = setup_packet,
        .write = write_packet,
        .read = read_packet,
    },
};

const size_t usbasploader_model_count = sizeof usbasploader_models / sizeof *usbasploader_models;

#include "jigs/simbench/trinket_model.h"

#include <string.h>

#include "jigs/simbench/usb_port.h"

enum request { READ_PORT = 1, SPI = 7, FLASH_READ = 9, FLASH_WRITE, EEPROM_READ, EEPROM_WRITE };

#define FLASH_BYTES 0x14C0 /* of the application; the bootloader begins here */
#define PAGE_BYTES 64
#define JUMP_BYTES 4       /* its last ones are the bootloader's, and read as FF */
#define PAGE_US 4500       /* to erase or to write one; the CPU stands still */
#define SHORT_LENGTHS 0xFF /* V-USB's "no answer yet" */

static const uint8_t signature[4] = {0x1E, 0x93, 0x0B, 0xFF}; /* ATtiny85 */

struct trinket {
    struct usb_port *port;
    bool hung;
    uint8_t flash[FLASH_BYTES];
    uint8_t page[PAGE_BYTES];
    uint8_t request;
    uint16_t address;
    uint8_t left; /* of the data stage */
};

static void erase(struct trinket *trinket)
{
    memset(trinket->flash, 0xFF, sizeof trinket->flash);
    usb_port_spend(trinket->port, (int64_t)PAGE_US * (FLASH_BYTES / PAGE_BYTES));
}

static void write_page(struct trinket *trinket)
{
    uint32_t start = (uint32_t)(trinket->address - 1) / PAGE_BYTES * PAGE_BYTES;
    if (trinket->address != 0 && start < FLASH_BYTES) {
        for (uint32_t i = 0; i < PAGE_BYTES; i++) {
            trinket->flash[start + i] &= trinket->page[i];
        }
        usb_port_spend(trinket->port, PAGE_US);
    }
    memset(trinket->page, 0xFF, sizeof trinket->page);
}

/* Whatever was asked, the answer holds the second byte in the place where the echo of AC 53 is
 * looked for. Fuses read as 0, and writing them seems to work. */
static int spi(struct trinket *trinket, const struct usb_setup *setup, uint8_t *reply)
{
    const uint8_t frame[4] = {(uint8_t)setup->value, (uint8_t)(setup->value >> 8),
                              (uint8_t)setup->index, (uint8_t)(setup->index >> 8)};
    reply[0] = reply[1] = reply[3] = 0;
    reply[2] = frame[1];
    if (frame[0] == 0x30 && frame[1] == 0) {
        reply[3] = signature[frame[2] & 3];
    } else if (setup->value == 0x80AC && setup->index == 0) {
        erase(trinket);
    } else if (frame[0] == 0x4C && frame[3] == 0) {
        write_page(trinket);
    }
    return 4;
}

static int begin_stage(struct trinket *trinket, const struct usb_setup *setup)
{
    trinket->request = setup->request;
    trinket->address = setup->index;
    trinket->left = (uint8_t)setup->length;
    if ((setup->request_type & USB_TYPE_TO_HOST) == 0) {
        return setup->length == 0 ? USB_SILENT : USB_STREAM;
    }
    if (trinket->left == SHORT_LENGTHS) {
        return USB_SILENT;
    }
    return trinket->left == 0 ? 0 : USB_STREAM;
}

/* ECHO is among what it does not know. */
static int setup_packet(void *instance, const struct usb_setup *setup,
                        uint8_t reply[USB_PACKET_BYTES])
{
    struct trinket *trinket = instance;
    int count = 0;
    if (trinket->hung) {
        return USB_SILENT;
    }
    if (setup->request == READ_PORT) {
        reply[0] = 0;
        count = 1;
    } else if (setup->request == SPI) {
        count = spi(trinket, setup, reply);
    } else if (setup->request >= FLASH_READ && setup->request <= EEPROM_WRITE) {
        return begin_stage(trinket, setup);
    }
    return count > setup->length ? setup->length : count;
}

static int write_packet(void *instance, const uint8_t *bytes, size_t count)
{
    struct trinket *trinket = instance;
    if (count > trinket->left) {
        count = trinket->left;
    }
    for (size_t i = 0; i < count && trinket->request == FLASH_WRITE; i++) {
        trinket->page[trinket->address++ % PAGE_BYTES] &= bytes[i];
    }
    trinket->left = (uint8_t)(trinket->left - count);
    return trinket->left == 0;
}

/* Reading EEPROM is left out of the bootloader, but not the loop around it. */
static int read_packet(void *instance, uint8_t *bytes, size_t count)
{
    struct trinket *trinket = instance;
    if (trinket->request == EEPROM_READ) {
        trinket->hung = true;
        return USB_SILENT;
    }
    if (count > trinket->left) {
        count = trinket->left;
    }
    for (size_t i = 0; i < count; i++) {
        uint16_t address = trinket->address++;
        bool own = address >= FLASH_BYTES - JUMP_BYTES;
        bytes[i] = own ? 0xFF : trinket->flash[address];
    }
    trinket->left = (uint8_t)(trinket->left - count);
    return (int)count;
}

static void start(void *instance, const struct usb_firmware *firmware, struct usb_port *port)
{
    struct trinket *trinket = instance;
    (void)firmware;
    trinket->port = port;
    memset(trinket->flash, 0xFF, sizeof trinket->flash);
    memset(trinket->page, 0xFF, sizeof trinket->page);
    usb_port_reset_line(port, false); /* no board hangs on it */
}

#define TRINKET(name_, ...)                                                                        \
    {                                                                                              \
        .name = name_, .programmer = "usbtiny", .identity = {__VA_ARGS__},                         \
        .instance_bytes = sizeof(struct trinket), .start = start, .setup = setup_packet,           \
        .write = write_packet, .read = read_packet                                                 \
    }

const struct usb_firmware trinket_models[] = {
    TRINKET("trinket-bootloader", 0x1781, 0x0C9F, 0x0105, "Adafruit", "Trinket", NULL, 0xFF, 0),
    TRINKET("trinket-disguised", 0x1781, 0x0C9F, 0x0105, NULL, "USBtiny", NULL, 0xFF, 0),
};

const size_t trinket_model_count = sizeof trinket_models / sizeof *trinket_models;

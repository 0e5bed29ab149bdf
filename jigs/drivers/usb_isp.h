/* What the USB programmers USBasp and USBtiny have in common: a low-speed device whose firmware
 * takes a four-byte ISP instruction in the setup packet of a control transfer (the first byte in
 * the low half of wValue, the second in its high half, the others likewise in wIndex) and gives
 * back the four bytes that the board sent meanwhile; reads blocks of memory; and lets go of the
 * board by one request. The two drivers add how each begins a session and writes pages.
 *
 * What a garbled packet can do, honestly. Host controllers send a CRC with every packet, but
 * neither firmware looks at it, nor at whether a packet is a repetition. So a bit that turns on the
 * cable goes into effect:
 *
 * - Data of a page become wrong data; reading back finds them. They are never taken for an
 *   instruction: for that a token's OUT would have to become SETUP, in four bits at once.
 * - Instructions stand in the setup packet. Of those sent, only the ones that begin with AC are one
 *   bit away from a fuse or lock write: a fuse write may reach another fuse or carry another value,
 *   and a chip erase (AC 80) become a write of 00 to the low fuse (AC A0). That cannot be prevented
 *   from here. What can be done is done: the board gives back what it heard of these instructions,
 *   one byte late, and that is compared at once; and every fuse is read back.
 * - A request whose number is one bit away from the instruction's carries nothing that would be an
 *   instruction with AC: see the drivers.
 * - An instruction that is repeated has the same effect as once.
 *
 * After anything that failed (no answer, a stall, a reply of another length) nothing more is sent
 * in that session but what lets go of the board. */
#ifndef JIGS_DRIVERS_USB_ISP_H
#define JIGS_DRIVERS_USB_ISP_H

#include "jigs/link_usb.h"
#include "jigs/programmer.h"

/* V-USB and its like count a reply with 8 bits, and 255 has a meaning of its own: 31 full packets.
 */
#define USB_ISP_READ_BYTES 248
#define USB_ISP_PACKET_BYTES 8
#define USB_ISP_PACKET_US 1000 /* low speed: one packet of endpoint 0 in each frame */
#define USB_ISP_QUEUE 256      /* transfers that are handed over in one go */
#define USB_ISP_PAGE_BYTES 256 /* no part has longer pages */

struct usb_isp_dialect {
    const char *name;        /* of the firmware */
    const char *let_go_name; /* in messages */
    uint8_t instruct;        /* request numbers */
    uint8_t let_go;          /* releases the board */
    uint8_t read_flash;
    uint8_t read_eeprom;
    bool address_in_index;       /* of the two blocks; else it stands in wValue */
    bool loads_extended_address; /* by itself, and remembers which: nobody else may send 4D */
    uint16_t dataless_bytes;     /* asked for where nothing comes: as avrdude does it */
    int64_t block_silence_us;    /* besides the time that the bytes take on SPI */
};

struct usb_isp {
    struct programmer base;
    const struct usb_isp_dialect *dialect;
    struct link_usb *usb;
    bool engaged;      /* the board may be in reset */
    bool enabled;      /* the board answered: instructions may be sent */
    bool broken;       /* something failed in this session */
    int64_t let_go_us; /* when the board was let go last */
};

/* A request of its own, with up to 8 bytes of reply. */
struct usb_isp_request {
    const char *name;
    uint8_t request;
    uint16_t value, index;
    uint16_t length;    /* asked for; 0: nothing is expected, or a few bytes */
    int64_t silence_us; /* 0: a second, and four bytes on SPI */
    uint8_t reply[8];
    uint16_t received;
};

/* Transfers that go out together, some of them at a time under way. Between two queues the bus
 * waits until this computer has looked at the replies, so that a queue holds what there is: 224
 * pages of a USBasp. The first reply that is too short ends it. */
struct usb_isp_queue {
    struct usb_isp *isp;
    struct link_usb_transfer transfers[USB_ISP_QUEUE];
    struct usb_isp_expected {
        const char *name;
        int bytes;          /* -1: any number */
        bool changes_board; /* the board must give back what it heard */
    } expected[USB_ISP_QUEUE];
    uint8_t replies[USB_ISP_QUEUE][4];
    uint8_t pages[USB_ISP_QUEUE][USB_ISP_PAGE_BYTES];
    size_t used;
};

/* ---- single requests: also outside of a session ---- */

int usb_isp_ask(struct usb_isp *isp, struct usb_isp_request *request,
                const struct operation *operation, struct failure *failure);
/* Another length than `expected` fails. */
int usb_isp_check_reply(struct usb_isp *isp, const struct usb_isp_request *request,
                        uint16_t expected, struct failure *failure);
/* Lets go of the board; asks twice. Does nothing when it is not held. */
int usb_isp_let_go(struct usb_isp *isp, const struct operation *operation, struct failure *failure);
/* A new session begins: `broken` is forgotten, a board that is still held is let go, for long
 * enough that it notices. */
int usb_isp_begin_session(struct usb_isp *isp, const struct operation *operation,
                          struct failure *failure);

/* Is the device one of those in the driver's table? FAILURE_PROGRAMMER_UNKNOWN says what it is. */
int usb_isp_check_identity(const struct usb_isp *isp, struct failure *failure);
/* "16C0:05DC 'USBasp' by 'www.fischl.de'" */
void usb_isp_identity_to_text(const struct link_usb_identity *identity, char *text,
                              size_t text_bytes);

/* ---- what the drivers' tables point to ---- */

void usb_isp_unclaim(struct programmer *programmer);
int usb_isp_release(struct programmer *programmer, const struct operation *operation,
                    struct failure *failure);
int usb_isp_instruct(struct programmer *programmer, const struct isp_instruction *instruction,
                     uint8_t *reply, const struct operation *operation, struct failure *failure);

/* ---- queues: within a session ---- */

void usb_isp_queue_init(struct usb_isp_queue *queue, struct usb_isp *isp);
/* Is there no room for `count` more? */
bool usb_isp_is_full(const struct usb_isp_queue *queue, size_t count);
/* Sends what is in it, unless there is room for `count` more. */
int usb_isp_make_room(struct usb_isp_queue *queue, size_t count, const struct operation *operation,
                      struct failure *failure);
/* These need room. A request without data, whose reply says nothing. */
void usb_isp_add_request(struct usb_isp_queue *queue, const char *name, uint8_t request,
                         uint16_t value, uint16_t index);
void usb_isp_add_read(struct usb_isp_queue *queue, const char *name, uint8_t request,
                      uint16_t value, uint16_t index, uint8_t *bytes, uint16_t count);
/* At most USB_ISP_PAGE_BYTES, which are copied. */
int usb_isp_add_write(struct usb_isp_queue *queue, const char *name, uint8_t request,
                      uint16_t value, uint16_t index, const uint8_t *bytes, uint32_t count,
                      struct failure *failure);
/* Through the door. None of these needs a permit. */
int usb_isp_add_instruction(struct usb_isp_queue *queue, const struct isp_instruction *instruction,
                            struct failure *failure);
/* When the transfer that was added last is done, so many bytes of the operation are. */
void usb_isp_add_progress(struct usb_isp_queue *queue, uint32_t done_bytes);
/* Sends all and checks the replies; the queue is empty afterwards. */
int usb_isp_send(struct usb_isp_queue *queue, const struct operation *operation,
                 struct failure *failure);

/* ---- memories ---- */

/* In the drivers' tables, too: the three bytes of the signature. */
int usb_isp_identify(struct programmer *programmer, uint8_t signature[3],
                     const struct operation *operation, struct failure *failure);
/* Flash or EEPROM in blocks. What `queue` holds already goes out first. */
int usb_isp_read_blocks(struct usb_isp_queue *queue, enum part_memory memory, uint32_t start,
                        uint8_t *bytes, uint32_t count, const struct operation *operation,
                        struct failure *failure);
/* After the write at `start` was sent as a single instruction: sleeps for as long as no look could
 * tell that the part is ready, then as isp_wait_written(). */
int usb_isp_wait_written(struct usb_isp *isp, enum part_memory memory, uint32_t start,
                         const uint8_t *bytes, uint32_t count, const struct operation *operation,
                         struct failure *failure);
/* By single instructions, pages where the part has them: the firmware's own EEPROM requests wait
 * far too long for each byte. */
int usb_isp_write_eeprom(struct usb_isp *isp, uint32_t start, const uint8_t *bytes, uint32_t count,
                         const struct operation *operation, struct failure *failure);

/* ---- the shortest time ---- */

/* Microseconds of `bytes` over SPI. */
int64_t usb_isp_spi_us(int64_t sck_hz, int64_t bytes);
/* Of a data packet: the frame, or the time its bytes take on SPI. */
int64_t usb_isp_packet_us(int64_t sck_hz);
/* Of a byte of flash that goes by itself: the instruction, then the look that finds it written. */
int64_t usb_isp_byte_floor_us(const struct part *part, char *text, size_t text_bytes);
/* Adds the lines for `flash_bytes` in pages of `page_us` each and for reading `verify_bytes`;
 * returns the sum. */
int64_t usb_isp_floor_us(const struct part *part, int64_t sck_hz, int64_t page_us,
                         uint32_t flash_bytes, uint32_t verify_bytes, char *text,
                         size_t text_bytes);

#endif

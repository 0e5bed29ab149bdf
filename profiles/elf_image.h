/* Programs as avr-gcc links them: ELF, 32 bits, little endian, machine AVR. What is loaded goes to
 * its load address, so .data lies in the flash behind .text; .bss and debug data are not loaded.
 * The only file that includes libelf is elf_image.c. */
#ifndef PROFILES_ELF_IMAGE_H
#define PROFILES_ELF_IMAGE_H

#include "profiles/image_memories.h"

/* Adds what the program loads to `memories`. Refused, naming the section or segment: a file that is
 * cut off, not ELF for AVR or not linked, data outside the file, segments that overlap, sections
 * that no segment loads, an address beyond the memory. After a failure `memories` may hold a part
 * of it. */
int elf_image_parse(const char *name, const void *bytes, size_t count,
                    struct image_memories *memories, struct failure *failure);

#endif

#!/usr/bin/env bash
# Image files as Debian's srec_cat and the GNU tools for AVR read them: 500 generated ones, real
# programs, and, written by us, read by them. Damaged ones are refused with the record named.
. "${SOURCE:?}/tests/cli/common/cli.bash"
for tool in srec_cat avr-gcc avr-objcopy python3 jq; do
    command -v $tool >/dev/null || {
        echo "$tool is not installed"
        exit 77
    }
done
tools=$SOURCE/tests/tools
mkdir "$work/good" "$work/bad" "$work/judged"
cd "$work/good"

# ---- what the judges read: files of S-records in $work/judged

# judge TOOL NAME FORMAT : by srec_cat or objcopy
judge() {
    local input=-Intel bfd=ihex
    [ "$3" = hex ] || input=-Motorola bfd=srec
    if [ "$1" = srec_cat ]; then
        srec_cat "$2" $input -o "$work/judged/$2.srec_cat" -Motorola 2>"$work/err"
    else
        avr-objcopy -I $bfd -O srec "$2" "$work/judged/$2.objcopy"
    fi || fail "$1 does not read $2"
    echo "$2 $work/judged/$2.$1" >>"$work/judged/$1"
}

# judge_program NAME : by avr-objcopy, flash and EEPROM
judge_program() {
    local judged=$work/judged/$1 eeprom=
    avr-objcopy -O srec -R .eeprom -R .fuse -R .lock -R .signature "$1" "$judged.flash"
    if avr-objdump -h "$1" | grep -q ' \.eeprom '; then
        avr-objcopy -O srec -j .eeprom --change-section-lma .eeprom=0 "$1" "$judged.eeprom"
        eeprom=$judged.eeprom
    fi
    echo "$1 $judged.flash $eeprom" >>"$work/judged/objcopy"
}

# compare TOOL PART FLASH EEPROM : our reading of all that the tool read
compare() {
    python3 "$tools/image_digest.py" "$3" "$4" <"$work/judged/$1" >"$work/expected"
    cut -d' ' -f1 "$work/judged/$1" | xargs "$gangflash" image info --json --part "$2" \
        >"$work/out" 2>"$work/err" || fail "a sound file is refused"
    jq -r '[.file, .image_sha256] | join(" ")' "$work/out" >"$work/found"
    diff "$work/expected" "$work/found" >&2 || fail "files are read otherwise than $1 does"
    judged=$((judged + $(wc -l <"$work/expected")))
    rm "$work/judged/$1"
}

# ---- the generated ones

python3 "$tools/make_images.py" good . 20260101
equal "$(wc -l <list)" 500 "files"
while read -r name format judges; do
    if [ "$format" = elf ]; then
        avr-as -mmcu=avr6 -o "${name%.elf}.o" "${name%.elf}.s"
        # shellcheck disable=SC2046  # options, one per word
        avr-ld $(cat "${name%.elf}.link") -o "$name" "${name%.elf}.o"
        judge_program "$name"
        continue
    fi
    for tool in $judges; do
        judge "$tool" "$name" "$format"
    done
done <list
judged=0
compare srec_cat ATmega2560 $((0x40000)) $((0x1000))
equal "$judged" 400 "files judged by srec_cat"
compare objcopy ATmega2560 $((0x40000)) $((0x1000))
[ "$judged" -ge 800 ] || fail "only $judged readings were judged"

# ---- real programs, with what avr-libc can put beside the flash

# real_program MCU : $work/good/MCU.elf
real_program() {
    cat >"$1.c" <<'END'
#include <avr/io.h>
#include <avr/eeprom.h>
#include <avr/fuse.h>
#include <avr/lock.h>
#include <avr/signature.h>
#if FUSE_MEMORY_SIZE == 3
FUSES = {.low = 0x62, .high = 0xD1, .extended = 0xFC};
#elif FUSE_MEMORY_SIZE == 2
FUSES = {.low = 0x62, .high = 0xD1};
#else
FUSES = 0xDE;
#endif
LOCKBITS = 0xFC;
uint8_t EEMEM table[7] = {1, 2, 3, 4, 5, 6, 7};
volatile uint16_t counter = 0x1234;
static const char words[] = "copied";
char buffer[8];
int main(void)
{
    for (;;) {
        buffer[counter++ % 8] = words[counter % sizeof(words)];
        eeprom_write_byte(table, buffer[1]);
    }
}
END
    avr-gcc -mmcu="$1" -Os -g -o "$1.elf" "$1.c"
}

# bytes_of NAME SECTION : as decimal numbers
bytes_of() {
    avr-objcopy -O binary -j "$2" --change-section-lma "$2=0" "$1" "$work/section"
    od -An -v -tu1 "$work/section" | xargs
}

while read -r part flash eeprom; do
    name=${part,,}.elf
    real_program "${part,,}"
    judge_program "$name"
    compare objcopy "$part" "$flash" "$eeprom"
    equal "$(jq -r '[.fuses[].value] | join(" ")' "$work/out")" \
        "$(bytes_of "$name" .fuse) $(bytes_of "$name" .lock)" "fuses and lock of $part"
    equal "$(jq -r .signature "$work/out")" \
        "$(bytes_of "$name" .signature | awk '{ printf "%02X %02X %02X", $3, $2, $1 }')" \
        "signature of $part"
    # All of it by way of HEX is the same as by ELF.
    avr-objcopy -O ihex "$name" "$work/all.hex"
    expect 0 "$gangflash" image diff --part "$part" "$name" "$work/all.hex"
done <<'END'
ATmega328P 32768 1024
ATmega2560 262144 4096
ATmega32A 32768 1024
ATmega32U4 32768 1024
ATmega8 8192 512
ATtiny85 8192 512
ATtiny13 1024 64
AT90USB1286 131072 4096
END

# ---- what we write

mkdir "$work/written"
for name in 00?.hex 10?.hex 22?.s37 30?.s37 40?.elf 45?.elf; do
    base=$work/written/$name
    for ending in hex srec bin; do
        expect 0 "$gangflash" image compose "$name" --memory flash -o "$base.$ending"
    done
    srec_cat "$base.hex" -Intel -o "$base.1" -Motorola -Address_Length=4 -Disable=Header
    srec_cat "$base.srec" -Motorola -o "$base.2" -Motorola -Address_Length=4 -Disable=Header \
        -Disable=Execution_Start_Address
    cmp "$base.1" "$base.2" || fail "HEX and S-records written from $name differ"
    avr-objcopy -I ihex -O binary --gap-fill 0xFF "$base.hex" "$base.raw"
    cmp "$base.raw" "$base.bin" || fail "the raw binary written from $name"
    echo "$base.hex $base.1" >>"$work/judged/written"
done
written=$(wc -l <"$work/judged/written")
equal "$written" 60 "files written"
compare written ATmega2560 $((0x40000)) $((0x1000))

# ---- damaged ones

cd "$work/bad"
python3 "$tools/make_images.py" bad . "$work/good/atmega328p.elf"
refused=0
while IFS=$'\t' read -r name text; do
    expect 3 "$gangflash" image info --part ATmega328P "$name"
    says err "$text"
    [ ! -s "$work/out" ] || fail "something is told of the damaged $name"
    refused=$((refused + 1))
done <list
[ "$refused" -ge 60 ] || fail "only $refused kinds of damage were tried"
echo "$judged readings and $written written files agree, $refused kinds of damage are refused"

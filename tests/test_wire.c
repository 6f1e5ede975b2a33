/* Fields of protocol buffers, read one by one. */
#include <string.h>

#include "models.h"
#include "onnx/wire.h"
#include "suites.h"

static Wire wire_of(const char *bytes, size_t size)
{
    return wire_over((Span){(const uint8_t *)bytes, size});
}
#define WIRE(bytes) wire_of(bytes, sizeof bytes - 1)

static void check_fault(Wire wire, const char *fault, bool overrun, int at)
{
    Field field;
    const uint8_t *start = wire.at;
    ck_assert(!wire_next(&wire, &field));
    ck_assert_ptr_nonnull(wire.fault);
    ck_assert_str_eq(wire.fault, fault);
    ck_assert(wire.overrun == overrun);
    ck_assert_int_eq(wire.at - start, at);
    ck_assert(!wire_next(&wire, &field)); /* for good */
}

static void check_value(Wire wire, uint32_t number, uint64_t value)
{
    Field field;
    ck_assert(wire_next(&wire, &field));
    ck_assert_uint_eq(field.number, number);
    ck_assert_uint_eq(field.value, value);
    ck_assert(!wire_next(&wire, &field));
    ck_assert_ptr_null(wire.fault);
}

START_TEST(numbers_are_as_long_as_they_may_be)
{
    check_value(WIRE("\x08\x05"), 1, 5);
    check_value(WIRE("\x08\x80\x01"), 1, 128);
    check_value(WIRE("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), 1,
                UINT64_MAX);
    check_fault(WIRE("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"),
                "a number is too long", false, 1);
    check_fault(WIRE("\x08\x80\x80"), "a number is cut off", true, 1);
    check_value(WIRE("\x0d\x01\x02\x03\x04"), 1, 0x04030201);
    check_value(WIRE("\x09\x01\x00\x00\x00\x00\x00\x00\x80"), 1,
                UINT64_C(1) << 63 | 1);
    check_fault(WIRE("\x0d\x01\x02\x03"), "a number is cut off", true, 1);
    check_fault(WIRE("\x09\x01\x02\x03\x04\x05\x06\x07"), "a number is cut off",
                true, 1);
}
END_TEST

START_TEST(field_numbers_are_in_range)
{
    check_value(WIRE("\xf8\xff\xff\xff\x0f\x07"), (1 << 29) - 1, 7);
    check_fault(WIRE("\xf8\xff\xff\xff\x1f\x07"), "a field number out of range",
                false, 0);
    check_fault(WIRE("\xf8\xff\xff\xff\xff\x00\x07"), "a number is too long",
                false, 0);
    check_fault(WIRE("\x00\x07"), "a field number out of range", false, 0);
    check_fault(WIRE("\x07\x07"), "a field number out of range", false, 0);
    check_fault(WIRE("\xff"), "a number is cut off", true, 0);
    check_fault(WIRE("\x08"), "a field is cut off", true, 1);
    check_fault(WIRE("\x0b\x07"), "a wire type that does not exist", false, 1);
}
END_TEST

START_TEST(a_payload_ends_within_its_message)
{
    Field field;
    Wire wire = WIRE("\x12\x03"
                     "abc"
                     "\x12\x00");
    ck_assert(wire_next(&wire, &field));
    ck_assert_uint_eq(field.payload.size, 3);
    ck_assert_mem_eq(field.payload.bytes, "abc", 3);
    ck_assert_uint_eq(field.whole.size, 5);
    ck_assert(wire_next(&wire, &field));
    ck_assert_uint_eq(field.payload.size, 0);
    ck_assert(!wire_next(&wire, &field) && !wire.fault);
    check_fault(WIRE("\x12\x04"
                     "abc"),
                "a length reaches past the end", true, 1);
    check_fault(WIRE("\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                     "abc"),
                "a length reaches past the end", true, 1);
    check_fault(WIRE("\x12\x83"), "a number is cut off", true, 1);
    wire = wire_over((Span){0});
    ck_assert(!wire_next(&wire, &field) && !wire.fault);
}
END_TEST

START_TEST(a_packed_array_is_read_to_its_end)
{
    uint64_t value;
    Wire wire = WIRE("\x05\x80\x01");
    ck_assert(wire_number(&wire, WIRE_VARINT, &value));
    ck_assert_uint_eq(value, 5);
    ck_assert(wire_number(&wire, WIRE_VARINT, &value));
    ck_assert_uint_eq(value, 128);
    ck_assert(!wire_number(&wire, WIRE_VARINT, &value) && !wire.fault);
    wire = WIRE("\x01\x02\x03");
    ck_assert(!wire_number(&wire, WIRE_FIXED32, &value));
    ck_assert_str_eq(wire.fault, "a number is cut off");
    ck_assert(!wire_number(&wire, WIRE_VARINT, &value)); /* for good */
}
END_TEST

/* Of several the last counts; of another type it is another field. */
START_TEST(a_field_is_found_by_number_and_type)
{
    static const char bytes[] = "\x08\x01" /* 1: a number */
                                "\x0a\x02"
                                "no" /* 1: bytes */
                                "\x12\x05"
                                "other" /* 2: bytes */
                                "\x0a\x03"
                                "yes"                   /* 1: bytes */
                                "\x08\x02"              /* 1: a number */
                                "\x0d\x09\x00\x00\x00"; /* 1: of four bytes */
    Span message = {(const uint8_t *)bytes, sizeof bytes - 1};
    ck_assert_uint_eq(wire_value(message, 1), 2);
    ck_assert_uint_eq(wire_value(message, 2), 0);
    ck_assert_str_eq(wire_string(arena, message, 1), "yes");
    ck_assert_str_eq(wire_string(arena, message, 2), "other");
    ck_assert_str_eq(wire_string(arena, message, 3), "");
    ck_assert_uint_eq(wire_bytes(message, 3).size, 0);
}
END_TEST

Suite *suite_wire(void)
{
    Suite *suite = suite_create("wire");
    TCase *tcase = tcase_create("wire");
    tcase_add_checked_fixture(tcase, models_setup, models_teardown);
    tcase_add_test(tcase, numbers_are_as_long_as_they_may_be);
    tcase_add_test(tcase, field_numbers_are_in_range);
    tcase_add_test(tcase, a_payload_ends_within_its_message);
    tcase_add_test(tcase, a_packed_array_is_read_to_its_end);
    tcase_add_test(tcase, a_field_is_found_by_number_and_type);
    suite_add_tcase(suite, tcase);
    return suite;
}

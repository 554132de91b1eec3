#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "images/elf.h"
#include "tests/elf_maker.h"

static struct arena arena;

static int release(void **state)
{
	(void)state;
	arena_release(&arena);
	return 0;
}

static const struct elf_plan whole = {.machine = NATIVE,
	.soname = "libx.so.1",
	.runpath = "$ORIGIN/../lib",
	.defines = {"libx.so.1", "X_1", "X_2"},
	.needed = "libc.so.6",
	.needs = {"GLIBC_2.2.5", "GLIBC_2.17"}};

static void a_library_tells_its_names(void **state)
{
	CLEANUP_BUF bytes = {0};
	struct err e = {0};
	struct elf elf;

	(void)state;
	elf_make(&bytes, &whole);
	assert_int_equal(elf_read(&arena, "x", buf_view(&bytes), &elf, &e), 1);
	assert_true(elf_is_native(&elf));
	assert_int_equal(elf.type, ET_DYN);
	assert_true(str_is(elf.soname, "libx.so.1"));
	assert_true(str_is(elf.runpath, "$ORIGIN/../lib"));
	assert_int_equal(elf.rpath.n, 0);
	assert_int_equal(elf.n_needed, 1);
	assert_true(str_is(elf.needed[0], "libc.so.6"));
	assert_int_equal(elf.n_defines, 2); /* the base names the file, not a version */
	assert_true(str_is(elf.defines[1], "X_2"));
	assert_int_equal(elf.n_needs, 2);
	assert_true(str_is(elf.needs[1].file, "libc.so.6"));
	assert_true(str_is(elf.needs[1].version, "GLIBC_2.17"));
	assert_false(elf.needs[1].weak);
}

static void what_is_no_elf_is_not_read(void **state)
{
	struct err e = {0};
	struct elf elf;

	(void)state;
	assert_int_equal(elf_read(&arena, "x", STR(""), &elf, &e), 0);
	assert_int_equal(elf_read(&arena, "x", STR("\177EL"), &elf, &e), 0);
	assert_int_equal(elf_read(&arena, "x", STR("GROUP ( libc.so.6 )"), &elf, &e), 0);
}

/* Of files for other machines it is known for which, in their byte order. */
static void other_classes_tell_what_they_are(void **state)
{
	static const struct {
		unsigned char class, data, type[2], machine[2];
		unsigned bits, is_type, is_machine;
	} others[] = {
		{ELFCLASS32, ELFDATA2LSB, {3, 0}, {3, 0}, 32, ET_DYN, EM_386},
		{ELFCLASS32, ELFDATA2LSB, {2, 0}, {62, 0}, 32, ET_EXEC, EM_X86_64}, /* x32 */
		{ELFCLASS64, ELFDATA2MSB, {0, 2}, {0, 22}, 64, ET_EXEC, EM_S390},
		{ELFCLASS32, ELFDATA2MSB, {0, 3}, {0, 20}, 32, ET_DYN, EM_PPC},
	};

	(void)state;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		char head[20] = ELFMAG;
		struct err e = {0};
		struct elf_symbols symbols;
		struct elf elf;

		head[EI_CLASS] = (char)others[i].class;
		head[EI_DATA] = (char)others[i].data;
		memcpy(head + 16, others[i].type, 2);
		memcpy(head + 18, others[i].machine, 2);
		assert_int_equal(elf_read(&arena, "x", str_n(head, 20), &elf, &e), 1);
		assert_int_equal(elf.bits, others[i].bits);
		assert_int_equal(elf.big_endian, others[i].data == ELFDATA2MSB);
		assert_int_equal(elf.type, others[i].is_type);
		assert_int_equal(elf.machine, others[i].is_machine);
		assert_false(elf_is_native(&elf));
		assert_false(elf.dynamic);
		assert_int_equal(elf_symbols(&arena, "x", str_n(head, 20), &symbols, &e), 1);
		assert_int_equal(symbols.n_undefined + symbols.n_defined, 0);
		head[EI_CLASS] = 3;
		assert_int_equal(elf_read(&arena, "x", str_n(head, 20), &elf, NULL), -1);
		assert_int_equal(elf_read(&arena, "x", str_n(head, 19), &elf, NULL), -1);
	}
}

/* Cut anywhere, and with any one byte changed, it is read or refused, never read beyond its end. */
static void broken_ones_are_refused(void **state)
{
	CLEANUP_BUF bytes = {0};
	size_t refused = 0;

	(void)state;
	elf_make(&bytes, &whole);
	for (size_t n = sizeof(Elf64_Ehdr); n < bytes.n; n++) {
		char *exact = arena_cstr(&arena, str_n(bytes.p, n));
		struct err e = {0};
		struct elf elf;

		assert_int_equal(elf_read(&arena, "x", str_n(exact, n), &elf, &e), -1);
		assert_int_equal(e.code, ERR_INTEGRITY);
		err_release(&e);
	}
	for (size_t i = sizeof(Elf64_Ehdr); i < bytes.n; i++) {
		char *changed = arena_cstr(&arena, buf_view(&bytes));
		struct elf elf;

		changed[i] ^= (char)0xff;
		refused += elf_read(&arena, "x", str_n(changed, bytes.n), &elf, NULL) < 0;
	}
	assert_true(refused > 100);
}

static void this_program_is_one(void **state)
{
	struct err e = {0};
	struct elf elf;
	struct str bytes;
	bool libc = false;

	(void)state;
	assert_int_equal(file_map("/proc/self/exe", &bytes, &e), 0);
	assert_int_equal(elf_read(&arena, "self", bytes, &elf, &e), 1);
	for (size_t i = 0; i < elf.n_needed; i++)
		libc = libc || str_is(elf.needed[i], "libc.so.6");
	assert_true(libc);
	assert_true(elf.interpreter.n > 0 && elf.interpreter.p[0] == '/');
	file_unmap(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_library_tells_its_names, release),
		cmocka_unit_test_teardown(what_is_no_elf_is_not_read, release),
		cmocka_unit_test_teardown(other_classes_tell_what_they_are, release),
		cmocka_unit_test_teardown(broken_ones_are_refused, release),
		cmocka_unit_test_teardown(this_program_is_one, release),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * For user-mode-linux on processors whose XSAVE area is larger than the buffer that its 6.1 was
 * built with (AVX-512 with AMX: "ptrace set fp regs failed"). The host wants PTRACE_SETREGSET with
 * NT_X86_XSTATE to carry its whole area: fetch that, lay the shorter image over it, and write the
 * whole back. Loaded with LD_PRELOAD.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static char area[65536] __attribute__((aligned(64)));

/* The XSTATE_BV bits of the components that lie within the first bytes of the area. */
static uint64_t features_within(size_t bytes)
{
	return bytes >= 2696 ? 0x2ff : bytes >= 2688 ? 0xff : bytes >= 832 ? 0x7 : 0x3;
}

long ptrace(enum __ptrace_request request, ...)
{
	va_list arguments;
	va_start(arguments, request);
	long pid = va_arg(arguments, int);
	void *address = va_arg(arguments, void *);
	void *data = va_arg(arguments, void *);
	va_end(arguments);

	if (request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA || request == PTRACE_PEEKUSER) {
		long word, failed = syscall(SYS_ptrace, request, pid, address, &word);
		return failed < 0 ? failed : word;
	}
	if ((request != PTRACE_GETREGSET && request != PTRACE_SETREGSET) ||
	    address != (void *)NT_X86_XSTATE)
		return syscall(SYS_ptrace, request, pid, address, data);

	struct iovec *guest = data, host = { area, sizeof area };
	long failed = syscall(SYS_ptrace, PTRACE_GETREGSET, pid, address, &host);
	if (failed < 0)
		return failed;
	size_t length = guest->iov_len < host.iov_len ? guest->iov_len : host.iov_len;
	uint64_t *features = (uint64_t *)(area + 512);
	if (request == PTRACE_SETREGSET)
		memcpy(area, guest->iov_base, length);
	if (length < host.iov_len)
		*features &= features_within(length);
	if (request == PTRACE_SETREGSET)
		return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, address, &host);
	memcpy(guest->iov_base, area, length);
	guest->iov_len = length;
	return 0;
}

/*
 * The devices that hold no state: /dev/null, zero, full, random, urandom.
 * Any other device does (a GPU, a sound card): refused by name.
 */
#include "kind/kind.h"
#include "kind/reopen.h"

#include <errno.h>
#include <sys/sysmacros.h>

static bool is_stateless(dev_t device)
{
	/* Documentation/admin-guide/devices.txt, major 1: null 3, zero 5, full 7,
	 * random 8, urandom 9. */
	unsigned n = minor(device);

	return major(device) == 1 && (n == 3 || n == 5 || (n >= 7 && n <= 9));
}

static enum verdict claim(const struct fd_probe *p, struct buf *reason)
{
	if (!S_ISCHR(p->stat.st_mode) && !S_ISBLK(p->stat.st_mode))
		return NOT_MINE;
	if (S_ISCHR(p->stat.st_mode) && is_stateless(p->stat.st_rdev))
		return SUPPORTED;
	buf_printf(reason, "device %s (%u:%u), whose state cannot be saved", p->link,
		major(p->stat.st_rdev), minor(p->stat.st_rdev));
	return REFUSED;
}

static int dump(
	struct files_dump *d, const struct fd_probe *p, Cragon__Object *object, struct err *e)
{
	Cragon__Device *device = arena_alloc(d->arena, sizeof *device);

	if (!device)
		return err_sys(e, -ENOMEM, "describing a device");
	cragon__device__init(device);
	device->major = major(p->stat.st_rdev);
	device->minor = minor(p->stat.st_rdev);
	object->detail_case = CRAGON__OBJECT__DETAIL_DEVICE;
	object->device = device;
	return 0;
}

static int make(struct files_restore *r, size_t index, int *ret_fd, struct err *e)
{
	const Cragon__Object *object = r->image->object[index];
	struct stat st;
	int fd;

	/* Opening another device might rewind a tape. */
	if (stat(object->path, &st) < 0 || !S_ISCHR(st.st_mode) || !is_stateless(st.st_rdev) ||
		st.st_rdev != makedev(object->device->major, object->device->minor))
		return err_set(e, -ESTALE, WHY_FILE_CHANGED,
			"%s is no longer the device (%u:%u) that it was; put it back, then restart",
			object->path, object->device->major, object->device->minor);
	fd = reopen_path(object->path, object->flags);

	if (fd < 0)
		return err_sys(e, fd, "cannot open %s again", object->path);
	*ret_fd = fd;
	return 0;
}

const struct kind kind_device = {.name = "device",
	.kept = "/dev/null, zero, full, random, urandom",
	.limits = "any other device is refused: its state cannot be saved",
	.detail = CRAGON__OBJECT__DETAIL_DEVICE,
	.claim = claim,
	.dump = dump,
	.make = make};

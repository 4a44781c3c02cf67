"""What is reserved on an agent, and the calls that make it what it shall be. Pure.

A *stack* is the reservations of a resource from the bottom up; the last one says who it is for,
those beneath are what it refines. A *holding* is all of an agent that has one stack: amounts of
scalars in thousandths, ranges, and persistent volumes, whose disk counts among the scalars. Disks
with a root of their own (`source`) are left alone.
"""

from ansible.module_utils.mesos_resources import (
    THOUSAND,
    as_text,
    coalesced,
    minus,
    ranges,
    shown,
    thousandths,
)
from ansible.module_utils.mesosphere_http import RequestError


def stack_of(resource):
    """The reservations of a resource, in either of the wire's formats."""
    if resource.get("reservations"):
        listed = resource["reservations"]
    elif resource.get("role", "*") == "*":
        return []
    else:
        dynamic = resource.get("reservation")
        kind = "STATIC" if dynamic is None else "DYNAMIC"
        listed = [{"type": kind, "role": resource["role"], **(dynamic or {})}]
    return [
        {key: each[key] for key in ("type", "role", "principal", "labels") if each.get(key)}
        for each in listed
    ]


def _same(one, other):
    return [_comparable(each) for each in one] == [_comparable(each) for each in other]


def _comparable(reservation):
    labels = (reservation.get("labels") or {}).get("labels", ())
    pairs = sorted((each["key"], each.get("value", "")) for each in labels)
    return reservation["type"], reservation["role"], reservation.get("principal"), pairs


class Holding:
    """What of some resources has one stack."""

    def __init__(self, resources, stack):
        self.scalars = {}
        self.ranges = {}
        self.volumes = {}
        for resource in resources:
            disk = resource.get("disk") or {}
            if disk.get("source") or resource.get("revocable") is not None:
                continue
            if not _same(stack_of(resource), stack):
                continue
            name = resource["name"]
            if resource["type"] == "SCALAR":
                amount = round(float(resource["scalar"]["value"]) * THOUSAND)
                volume_id = (disk.get("persistence") or {}).get("id")
                if volume_id is not None:
                    if volume_id in self.volumes:  # shared: counted once
                        continue
                    self.volumes[volume_id] = {"size": amount, "disk": disk, **_shared(resource)}
                self.scalars[name] = self.scalars.get(name, 0) + amount
            elif resource["type"] == "RANGES":
                pairs = [(int(r["begin"]), int(r["end"])) for r in resource["ranges"]["range"]]
                self.ranges[name] = coalesced([*self.ranges.get(name, []), *pairs])

    def show(self):
        """{name: what people read}."""
        return {
            **{name: shown(amount) for name, amount in self.scalars.items() if amount},
            **{name: as_text(pairs) for name, pairs in self.ranges.items() if pairs},
        }

    def show_volumes(self):
        """{id: MiB}."""
        return {name: shown(each["size"]) for name, each in self.volumes.items()}


def _shared(resource):
    return {} if resource.get("shared") is None else {"shared": {}}


def find_base(agent, parents):
    """The stack of what shall be reserved: whatever the agent has for the roles `parents`.

    Raises RequestError if it has none, or several that differ by principal or labels.
    """
    if not parents:
        return []
    found = []
    for resource in agent.get("total_resources", ()):
        stack = stack_of(resource)
        roles = [each["role"] for each in stack]
        if roles == parents and not any(_same(stack, other) for other in found):
            found.append(stack)
    if len(found) != 1:
        held = "nothing" if not found else "resources in several ways"
        raise RequestError(f"the agent has {held} reserved to {' and then '.join(parents)}")
    return found[0]


def own_stack(base, given):
    """The stack of the reservation that the module is about."""
    own = {"type": "DYNAMIC", "role": given["role"]}
    if given["principal"]:
        own["principal"] = given["principal"]
    if given["labels"]:
        pairs = [{"key": str(key), "value": str(each)} for key, each in given["labels"].items()]
        own["labels"] = {"labels": sorted(pairs, key=lambda each: each["key"])}
    return [*base, own]


class Plan:
    """The calls from what an agent has to what it shall have, in order; and what differs."""

    def __init__(self, agent, base, given):
        self.stack = own_stack(base, given)
        resources = agent.get("total_resources", ())
        used = agent.get("allocated_resources", ())
        self.total, self.used = Holding(resources, self.stack), Holding(used, self.stack)
        self.below, self.below_used = Holding(resources, base), Holding(used, base)
        self.calls = []
        self.found = {}
        if given["state"] == "absent":
            self._release({each["id"] for each in given["volumes"]})
        else:
            self._hold(given)

    # --- the two ends ---

    def _release(self, listed):
        kept = sorted(set(self.total.volumes) - listed)
        if kept:
            raise RequestError(
                f"there are volumes in the reservation: {', '.join(kept)}; name those in volumes"
                " whose data shall be destroyed"
            )
        for name in sorted(self.total.volumes):
            self._destroy(name)
        scalars = {name: (amount, 0) for name, amount in self.total.scalars.items() if amount}
        self._unreserve(scalars, {name: (pairs, []) for name, pairs in self.total.ranges.items()})

    def _hold(self, given):
        scalars, spans = self._wanted(given)
        wanted = {each["id"]: each for each in given["volumes"]}
        for name in sorted(wanted):
            known = self.total.volumes.get(name)
            if wanted[name]["state"] == "absent" and known is not None:
                self._destroy(name)
        for name, each in self._resized(wanted, larger=False):
            self._resize(name, each)
        more = {n: (a, b) for n, (a, b) in scalars.items() if b > a}
        more_spans = {n: (a, b) for n, (a, b) in spans.items() if minus(b, a)}
        self._reserve(more, more_spans)
        for name in sorted(wanted):
            if wanted[name]["state"] == "present" and name not in self.total.volumes:
                self._create(wanted[name])
        for name, each in self._resized(wanted, larger=True):
            self._resize(name, each)
        less = {n: (a, b) for n, (a, b) in scalars.items() if b < a}
        self._unreserve(less, {n: (a, b) for n, (a, b) in spans.items() if minus(a, b)})

    def _wanted(self, given):
        """({scalar: (held, wanted)}, {ranges: (held, wanted)}). Raises RequestError."""
        kinds = {**dict.fromkeys(self.below.scalars, "SCALAR")}
        kinds.update(dict.fromkeys(self.total.scalars, "SCALAR"))
        kinds.update(dict.fromkeys([*self.below.ranges, *self.total.ranges], "RANGES"))
        scalars, spans = {}, {}
        for name, value in given["resources"].items():
            if name not in kinds:
                raise RequestError(
                    f"it has no {name} to reserve; it has {', '.join(sorted(kinds))}"
                )
            if kinds[name] == "SCALAR":
                scalars[name] = self.total.scalars.get(name, 0), thousandths(name, value)
            else:
                spans[name] = self.total.ranges.get(name, []), ranges(name, value)
        sizes = {name: each["size"] for name, each in self.total.volumes.items()}
        for each in given["volumes"]:
            sizes.pop(each["id"], None)
            if each["state"] == "present":
                sizes[each["id"]] = size_of(each)
        held = self.total.scalars.get("disk", 0)
        before, disk = scalars.get("disk", (held, max(held, sum(sizes.values()))))
        if disk < sum(sizes.values()):
            raise RequestError(
                f"disk: {shown(disk)} is less than the volumes need, {shown(sum(sizes.values()))}"
            )
        scalars["disk"] = before, disk
        return scalars, spans

    def _resized(self, wanted, larger):
        for name, each in sorted(wanted.items()):
            known = self.total.volumes.get(name)
            if known is None or each["state"] == "absent" or size_of(each) == known["size"]:
                continue
            if (size_of(each) > known["size"]) == larger:
                yield name, each

    # --- calls ---

    def _reserve(self, scalars, spans):
        for name, (held, wanted) in scalars.items():
            free = self.below.scalars.get(name, 0) - self.below_used.scalars.get(name, 0)
            if wanted - held > free:
                raise RequestError(
                    f"{name}: {shown(wanted - held)} more are wanted, and {shown(max(free, 0))} are"
                    " there that are neither reserved nor used"
                )
        for name, (held, wanted) in spans.items():
            free = minus(self.below.ranges.get(name, []), self.below_used.ranges.get(name, []))
            taken = minus(minus(wanted, held), free)
            if taken:
                raise RequestError(f"{name}: {as_text(taken)} are not there, reserved or used")
        self._move("RESERVE_RESOURCES", scalars, spans, 1)

    def _unreserve(self, scalars, spans):
        for name, (_, wanted) in scalars.items():
            used = self.used.scalars.get(name, 0)
            if wanted < used:
                raise RequestError(f"{name}: {shown(used)} are in use, {shown(wanted)} would stay")
        for name, (held, wanted) in spans.items():
            used = minus(self.used.ranges.get(name, []), minus(held, minus(held, wanted)))
            if used:
                raise RequestError(f"{name}: {as_text(used)} are in use")
        self._move("UNRESERVE_RESOURCES", scalars, spans, -1)

    def _move(self, kind, scalars, spans, sign):
        resources = []
        for name, (held, wanted) in sorted(scalars.items()):
            resources.append(self._scalar(name, (wanted - held) * sign))
            self.found[name] = (shown(held) or None, shown(wanted) or None)
        for name, (held, wanted) in sorted(spans.items()):
            moved = minus(wanted, held) if sign > 0 else minus(held, wanted)
            if not moved:
                continue
            pairs = [{"begin": begin, "end": end} for begin, end in moved]
            resources.append(
                {
                    "name": name,
                    "type": "RANGES",
                    "ranges": {"range": pairs},
                    "reservations": self.stack,
                }
            )
            self.found[name] = (as_text(held) or None, as_text(wanted) or None)
        if resources:
            self.calls.append((kind, {"resources": resources}))

    def _scalar(self, name, amount, **more):
        scalar = {"value": shown(amount)}
        reserved = {"reservations": self.stack, **more}
        return {"name": name, "type": "SCALAR", "scalar": scalar, **reserved}

    def _volume(self, name):
        known = self.total.volumes[name]
        shared = {"shared": {}} if "shared" in known else {}
        return self._scalar("disk", known["size"], disk=known["disk"], **shared)

    def _create(self, each):
        persistence = {"id": each["id"]}
        principal = self.stack[-1].get("principal")
        if principal:
            persistence["principal"] = principal
        path = {"container_path": each["container_path"] or each["id"], "mode": "RW"}
        disk = {"persistence": persistence, "volume": path}
        volume = self._scalar("disk", size_of(each), disk=disk)
        self.calls.append(("CREATE_VOLUMES", {"volumes": [volume]}))
        self.found[f"volume {each['id']}"] = (None, shown(size_of(each)))

    def _destroy(self, name):
        if name in self.used.volumes:
            raise RequestError(f"volume {name} is in use")
        size = self.total.volumes[name]["size"]
        self.calls.append(("DESTROY_VOLUMES", {"volumes": [self._volume(name)]}))
        self.found[f"volume {name}"] = (shown(size), None)

    def _resize(self, name, each):
        if name in self.used.volumes:
            raise RequestError(f"volume {name} is in use; its size can't change")
        before, after = self.total.volumes[name]["size"], size_of(each)
        body = {"volume": self._volume(name)}
        if after > before:
            addition = self._scalar("disk", after - before)
            self.calls.append(("GROW_VOLUME", {**body, "addition": addition}))
        else:
            self.calls.append(
                ("SHRINK_VOLUME", {**body, "subtract": {"value": shown(before - after)}})
            )
        self.found[f"volume {name}"] = (shown(before), shown(after))


def size_of(volume):
    """The size of a volume in thousandths of a MiB. Raises RequestError."""
    if volume["size"] is None:
        raise RequestError(f"volume {volume['id']} needs a size")
    size = thousandths("disk", volume["size"])
    if size == 0:
        raise RequestError(f"volume {volume['id']} has no size")
    return size

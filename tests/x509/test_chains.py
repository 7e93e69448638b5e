"""Chains in order, whatever order the certificates come in."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from sstpca.errors import SstpcaError
from sstpca.x509 import roots
from sstpca.x509.certificates import Certificate, certificate_to_pem
from sstpca.x509.chains import End, build, order_chain
from tests.support.forge import DAY, NOW, Issuer, authority, make, server_extensions, signed_again


@dataclass(frozen=True, slots=True)
class World:
    """Root, two authorities below each other, and a server's certificate; a second root."""

    root: Issuer
    upper: Issuer
    lower: Issuer
    leaf: x509.Certificate
    other_root: Issuer
    cross: x509.Certificate


@pytest.fixture(scope="module")
def world() -> World:
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(5)]
    root = authority("root", keys[0])
    upper = authority("upper", keys[1], root)
    lower = authority("lower", keys[2], upper)
    leaf = make("vpn.example.com", keys[3].public_key(), lower, server_extensions())
    other = authority("other root", keys[4])
    cross = authority("root", keys[0], other).certificate
    return World(root, upper, lower, leaf, other, cross)


def chain(
    world: World, others: Sequence[x509.Certificate], *anchors: x509.Certificate
) -> tuple[x509.Certificate, ...]:
    return order_chain(world.leaf, others, anchors, NOW)


@given(st.randoms(use_true_random=False))
def test_any_order(world: World, shuffling: random.Random) -> None:
    certificates = [
        world.leaf,
        world.root.certificate,
        world.upper.certificate,
        world.lower.certificate,
        world.cross,
        world.other_root.certificate,
    ]
    shuffling.shuffle(certificates)
    assert chain(world, certificates) == (world.lower.certificate, world.upper.certificate)


def test_a_root_of_this_machine_ends_it(world: World) -> None:
    between = [world.upper.certificate, world.lower.certificate]
    assert chain(world, between, world.root.certificate) == tuple(reversed(between))


def test_over_a_cross_certificate_where_only_the_other_root_is_known(world: World) -> None:
    between = [world.lower.certificate, world.upper.certificate, world.cross]
    assert chain(world, between, world.other_root.certificate) == tuple(between)


def test_an_intermediate_that_is_trusted_itself(world: World) -> None:
    assert chain(world, [], world.lower.certificate) == ()


def test_a_self_signed_one(world: World, fast_key: ec.EllipticCurvePrivateKey) -> None:
    own = make("own", fast_key.public_key(), None, server_extensions(), signer=fast_key)
    assert order_chain(own, [world.root.certificate], [], NOW) == ()


@pytest.mark.parametrize(
    ("missing", "what", "issuer"),
    [("lower", "certificate", "lower"), ("upper", "intermediate", "upper")],
)
def test_the_missing_one_is_named(world: World, missing: str, what: str, issuer: str) -> None:
    others = {"lower": world.lower, "upper": world.upper, "root": world.root}
    del others[missing]
    with pytest.raises(SstpcaError) as caught:
        chain(world, [one.certificate for one in others.values()])
    assert f"the issuer of the last {what}, 'CN={issuer}', is missing" in str(caught.value)
    assert "0x800B010A" in str(caught.value)


def test_a_root_that_is_not_known_is_missing(world: World) -> None:
    with pytest.raises(SstpcaError, match=r"last intermediate, 'CN=root', is missing") as caught:
        chain(world, [world.lower.certificate, world.upper.certificate])
    assert "root" in caught.value.hint


def test_an_issuer_with_another_key(world: World, fast_key: ec.EllipticCurvePrivateKey) -> None:
    forged = authority("lower", fast_key, world.root).certificate
    with pytest.raises(SstpcaError, match=r"'CN=lower' .* did not sign .*0x800B010A"):
        chain(world, [forged, world.root.certificate])


def test_of_two_for_the_same_key_the_valid_one_is_taken(world: World) -> None:
    expired = authority(
        "lower", world.lower.key, world.root, begin=NOW - 9 * DAY, end=NOW - DAY
    ).certificate
    anchors = (world.root.certificate,)
    # the shorter way is over the expired one
    both = [expired, world.lower.certificate, world.upper.certificate]
    assert chain(world, both, *anchors) == tuple(both[1:])
    # where there is no other, whoever checks will say that it has expired
    assert chain(world, [expired], *anchors) == (expired,)


def test_authorities_that_vouch_for_each_other(world: World) -> None:
    a, b = world.lower, authority("b", world.upper.key)
    circle = [
        authority("lower", a.key, b).certificate,
        authority("b", b.key, a).certificate,
    ]
    with pytest.raises(SstpcaError, match="does not come to a root"):
        chain(world, circle)


def test_a_circle_is_no_forgery(world: World) -> None:
    """Once, lint took whom nobody is left to sign for one whose issuer did not sign."""
    a, b = world.lower, authority("b", world.upper.key)
    circle = [authority("lower", a.key, b).certificate, authority("b", b.key, a).certificate]
    leaf, *others = map(Certificate.of, [world.leaf, *circle])
    path = build(leaf, others, [], lambda name: [], NOW)
    assert path.end is End.MISSING
    assert len(path.certificates) == 3


def test_a_chain_with_a_weak_signature(world: World) -> None:
    """Once, it was incomplete; that it is weak is for lint to say."""
    key = rsa.generate_private_key(65537, 2048)
    root = authority("root", key)
    plain = make("vpn", world.lower.key.public_key(), root, server_extensions())
    leaf = x509.load_der_x509_certificate(signed_again(plain, key, "sha1"))
    assert order_chain(leaf, [root.certificate], [], NOW) == ()


def test_a_server_vouches_for_nobody(world: World) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    no_authority = Issuer(
        make("lower", world.lower.key.public_key(), world.root, server_extensions()), key
    )
    with pytest.raises(SstpcaError, match="does not come to a root"):
        chain(world, [no_authority.certificate], world.root.certificate)


def test_a_chain_without_end() -> None:
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    issuers = [authority("0", keys[0])]
    for number in range(1, 14):
        issuers.append(authority(str(number), keys[number % 2], issuers[-1]))
    leaf = make("vpn", keys[0].public_key(), issuers[-1], server_extensions())
    others = [one.certificate for one in issuers]
    with pytest.raises(SstpcaError, match="does not come to a root"):
        order_chain(leaf, others, [], NOW)
    assert len(order_chain(leaf, others[6:], [others[6]], NOW)) == 7


def test_the_roots_of_this_machine(
    world: World, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path_factory.mktemp("roots") / "roots.pem"
    path.write_bytes(
        b"# a comment\n"
        + certificate_to_pem(world.root.certificate)
        + b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        + certificate_to_pem(world.lower.certificate)
        + certificate_to_pem(world.other_root.certificate)
        + b"\n"
    )
    monkeypatch.setattr(
        "ssl.get_default_verify_paths", lambda: type("Paths", (), {"cafile": str(path)})
    )
    assert roots.system_roots() == [world.root.certificate, world.other_root.certificate]
    monkeypatch.setattr("ssl.get_default_verify_paths", lambda: type("Paths", (), {"cafile": None}))
    monkeypatch.setattr(roots, "_BUNDLES", (str(path.with_name("none")),))
    assert roots.system_roots() == []

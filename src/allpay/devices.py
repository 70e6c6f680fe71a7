"""Whether JAX has anything to compute on here, which is asked before hours are spent on what needs it."""

import os

from allpay.errors import AllpayError, short


def check_devices() -> None:
    """Raise AllpayError if JAX finds no device of the kind that it is told to use."""
    import jax

    try:
        jax.devices()
    except Exception as error:  # of a platform that it knows and does not find, JAX fails an assertion of its own
        reason = (str(error).strip().splitlines() or ["none is found"])[0]
        asked = os.environ.get("JAX_PLATFORMS") or os.environ.get("JAX_PLATFORM_NAME")
        told = (
            f"JAX_PLATFORMS is {short(asked, 30)}; unset it, or set it to cpu" if asked else "set JAX_PLATFORMS to cpu"
        )
        raise AllpayError(f"JAX has no device to compute on: {told} ({reason[:60]})") from None

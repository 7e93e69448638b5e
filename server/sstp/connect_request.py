"""What is wrong with a Call-Connect-Request, attribute by attribute: [MS-SSTP] 3.3.5.2.2."""

from .wire import PROTOCOL_PPP, Attribute, AttributeId, Status, status_info, status_of

_UNDERSTOOD = (AttributeId.ENCAPSULATED_PROTOCOL_ID, AttributeId.STATUS_INFO)


def refused_attributes(attributes: tuple[Attribute, ...]) -> tuple[Attribute, ...]:
    """Return the Status Info attributes of the Call-Connect-Nak that answers these.

    Nothing is returned for those of a good request.
    """
    refused = []
    seen: set[int] = set()
    for attribute in attributes:
        status = _status(attribute, seen)
        seen.add(attribute.id)
        if status is not Status.NO_ERROR:
            # An attribute that was not understood does not go back: [MS-SSTP] 2.2.8
            unknown = status is Status.UNRECOGNIZED_ATTRIBUTE
            value = b"" if unknown else attribute.value
            refused.append(status_info(attribute.id, status, value))
    if AttributeId.ENCAPSULATED_PROTOCOL_ID not in seen:
        # [MS-SSTP] 2.2.8 would name the missing attribute; 3.3.5.2.2, the procedure, says this.
        missing = Status.REQUIRED_ATTRIBUTE_MISSING
        refused.append(status_info(AttributeId.STATUS_INFO, missing))
    return tuple(refused)


def _status(attribute: Attribute, seen: set[int]) -> Status:
    if attribute.id not in _UNDERSTOOD:
        return Status.UNRECOGNIZED_ATTRIBUTE
    if attribute.id in seen:
        return Status.DUPLICATE_ATTRIBUTE
    if attribute.id == AttributeId.ENCAPSULATED_PROTOCOL_ID:
        return _protocol_status(attribute.value)
    return _info_status(attribute.value)


def _protocol_status(value: bytes) -> Status:
    if len(value) != len(PROTOCOL_PPP):
        return Status.INVALID_ATTRIB_VALUE_LENGTH
    return Status.NO_ERROR if value == PROTOCOL_PPP else Status.VALUE_NOT_SUPPORTED


def _info_status(value: bytes) -> Status:
    status = status_of(value)
    if status is None:
        return Status.INVALID_ATTRIB_VALUE_LENGTH
    if status != Status.NO_ERROR:
        return Status.STATUS_INFO_NOT_SUPPORTED_IN_MSG
    return Status.NO_ERROR

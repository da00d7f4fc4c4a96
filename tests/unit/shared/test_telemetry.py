"""What a log line says about an error."""

from nats.js.errors import APIError, Error, NoStreamResponseError

from shared import telemetry


def test_an_expected_error_is_one_line_and_another_one_keeps_its_traceback() -> None:
    refused = APIError(code=503, description="no leader")
    assert "no leader" in telemetry.described(refused, Error)["error"]
    assert telemetry.described(NoStreamResponseError(), Error)["error"].startswith("NoStreamResponseError")
    fault = KeyError("subject")
    assert telemetry.described(fault, Error) == {"exc_info": fault}

"""No library sends anything home: each reads its own variable, when it is imported and never again."""

import os

OPT_OUTS = {
    # onnxruntime makes a device id and a database in the home folder, and looks its maker up in the DNS.
    "ORT_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}


def disable_telemetry() -> None:
    """Opt out, where the operator has not decided otherwise; to be called before such a library is imported.

    What starts threads calls it before it does: the C library moves the environment when a variable is added, and
    a thread that looks one up just then, as native libraries do while they are imported, may crash the process.
    """
    for name, value in OPT_OUTS.items():
        os.environ.setdefault(name, value)

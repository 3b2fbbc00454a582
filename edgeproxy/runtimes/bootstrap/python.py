"""Where Python workers start. Short: unlike what is imported, what is run is compiled anew."""

import os

from python_runtime import main  # type: ignore[import-not-found]

if os.environ.pop("_EDGEPROXY_ZYGOTE", ""):
    import python_zygote  # type: ignore[import-not-found]

    python_zygote.serve()
    del python_zygote
main()

"""Where Python workers start. Short: unlike what is imported, what is run is compiled anew."""

from python_runtime import main  # type: ignore[import-not-found]

main()

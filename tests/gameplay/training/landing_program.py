"""A process in which a version lands when a line comes in, while another thread never comes to an end."""

import sys
import threading

from gameplay.training.landing import Landing, ends_between_versions


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def main() -> None:
    landing = Landing()

    def land() -> None:
        with landing:
            say("registered")
            sys.stdin.readline()
            say("recorded")

    with ends_between_versions(landing):
        threading.Thread(target=threading.Event().wait).start()
        if sys.argv[1] == "landing":
            threading.Thread(target=land).start()
        else:
            say("fitting")
        threading.Event().wait()


if __name__ == "__main__":
    main()

// What every page has: times in the reader's zone, the slider, and live updates.

import { localTimes } from "./times.js";
import { slider } from "./slider.js";

localTimes(document);
slider();

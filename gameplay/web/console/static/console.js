// What every page has: times in the reader's zone, the slider, and what a decision's page can do.

import { csv, derive } from "./derive.js";
import { slider } from "./slider.js";
import { localTimes } from "./times.js";

localTimes(document);
slider();
derive();
csv();

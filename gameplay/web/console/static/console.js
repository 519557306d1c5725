// What every page has: times in the reader's zone, the slider, live updates, and what a decision's page can do.

import { derive } from "./derive.js";
import { live } from "./live.js";
import { slider } from "./slider.js";
import { localTimes } from "./times.js";

localTimes(document);
slider();
derive();
live();

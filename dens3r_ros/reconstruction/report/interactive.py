# SPDX-License-Identifier: Apache-2.0
"""The thinned cloud as a script that turns it in any browser, without network and without WebGL."""

from __future__ import annotations

import base64

import numpy as np

MOST_POINTS = 60_000
_POSITIONS = 65535

VIEW = """
<canvas id="view" width="960" height="640" tabindex="0"></canvas>
<p class="hint">drag turns, wheel zooms, right button or shift moves, double click resets</p>
<script>
"use strict";
(() => {
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const positions = new Uint16Array(bytes("@POSITIONS@").buffer);
const colours = bytes("@COLOURS@");
const track = new Uint16Array(bytes("@TRACK@").buffer);
const size = @SIZE@;
const canvas = document.getElementById("view"), context = canvas.getContext("2d");
const width = canvas.width, height = canvas.height;
const image = context.createImageData(width, height);
const pixels = new Uint32Array(image.data.buffer), depths = new Float32Array(width * height);
const home = {turn: 0.6, tilt: 0.9, zoom: 1.6, x: 0, y: 0};
let look = {...home};
const centred = (all) => Float32Array.from(all, (v, n) => (v / @MOST@ - 0.5) * size[n % 3]);
const cloud = centred(positions), path = centred(track);
const reach = Math.hypot(...size) || 1;
function placed(source, n, out) {
  const c = Math.cos(look.turn), s = Math.sin(look.turn);
  const x = source[n] * c + source[n + 1] * s, y = source[n + 1] * c - source[n] * s;
  const z = source[n + 2], ct = Math.cos(look.tilt), st = Math.sin(look.tilt);
  const far = reach * 1.2 + y * st - z * ct;
  const scale = look.zoom * height / far;
  out[0] = width / 2 + (x + look.x) * scale;
  out[1] = height / 2 - (y * ct + z * st + look.y) * scale;
  out[2] = far;
}
function draw() {
  pixels.fill(0xff1a1410);
  depths.fill(Infinity);
  const at = [0, 0, 0], big = look.zoom > 2 ? 3 : 2;
  for (let n = 0; n < cloud.length; n += 3) {
    placed(cloud, n, at);
    if (at[2] < reach * 0.05) continue;
    const x0 = at[0] | 0, y0 = at[1] | 0;
    const colour = 0xff000000 | (colours[n + 2] << 16) | (colours[n + 1] << 8) | colours[n];
    for (let y = y0; y < y0 + big; y++) for (let x = x0; x < x0 + big; x++) {
      if (x < 0 || y < 0 || x >= width || y >= height) continue;
      const place = y * width + x;
      if (at[2] < depths[place]) { depths[place] = at[2]; pixels[place] = colour; }
    }
  }
  context.putImageData(image, 0, 0);
  context.strokeStyle = "#ff8d3d"; context.lineWidth = 2; context.beginPath();
  for (let n = 0; n < path.length; n += 3) {
    placed(path, n, at);
    n ? context.lineTo(at[0], at[1]) : context.moveTo(at[0], at[1]);
  }
  context.stroke();
  canvas.dataset.drawn = String(1 + Number(canvas.dataset.drawn || 0));
}
let queued = false;
const redraw = () => { if (!queued) { queued = true;
  requestAnimationFrame(() => { queued = false; draw(); }); } };
canvas.onpointerdown = (e) => canvas.setPointerCapture(e.pointerId);
canvas.onpointermove = (e) => {
  if (!e.buttons) return;
  if (e.buttons & 2 || e.shiftKey) {
    const scale = reach * 1.2 / (look.zoom * height);
    look.x += e.movementX * scale; look.y -= e.movementY * scale;
  } else {
    look.turn -= e.movementX * 0.008;
    look.tilt = Math.min(1.57, Math.max(-1.57, look.tilt - e.movementY * 0.008));
  }
  redraw();
};
canvas.onwheel = (e) => { e.preventDefault(); look.zoom *= Math.exp(-e.deltaY * 0.001); redraw(); };
canvas.ondblclick = () => { look = {...home}; redraw(); };
canvas.oncontextmenu = (e) => e.preventDefault();
draw();
})();
</script>
"""


def interactive_view(points: np.ndarray, colours: np.ndarray, track: np.ndarray) -> str:
    """HTML of a canvas that shows points (N, 3) with colours (N, 3) uint8 and the track (M, 3)."""
    some = np.random.default_rng(0).permutation(len(points))[:MOST_POINTS]
    points, colours = points[some], colours[some]
    low, high = _box(points if len(points) else track)
    size = np.maximum(high - low, 1e-6)
    inside = ((points >= low) & (points <= high)).all(1)

    def packed(values: np.ndarray) -> str:
        steps = ((values - low) / size * _POSITIONS).clip(0, _POSITIONS)
        return base64.b64encode(np.rint(steps).astype("<u2").tobytes()).decode()

    return (
        VIEW.replace("@POSITIONS@", packed(points[inside]))
        .replace("@COLOURS@", base64.b64encode(colours[inside].tobytes()).decode())
        .replace("@TRACK@", packed(track[:: max(1, len(track) // 2000)]))
        .replace("@SIZE@", str([float(side) for side in size]))
        .replace("@MOST@", str(_POSITIONS))
    )


def _box(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What holds nearly all points: single far ones must not make the rest small."""
    if not len(points):
        return np.zeros(3), np.ones(3)
    low, high = np.percentile(points, [1, 99], axis=0)
    margin = 0.1 * (high - low).max()
    return low - margin, high + margin

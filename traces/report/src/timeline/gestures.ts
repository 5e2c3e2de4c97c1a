// SPDX-License-Identifier: Apache-2.0
import type { View } from './view';

const kClickDistance = 4;
const kWheelZoom = 1.0015;

interface Listeners {
    /** A press without moving. */
    click(event: PointerEvent): void;
    hover(event: PointerEvent): void;
    leave(): void;
}

/** Lets the wheel zoom and dragging move what is seen of a view on a canvas. */
export function listenToGestures(
    canvas: HTMLCanvasElement,
    scroller: HTMLElement,
    view: View,
    listeners: Listeners,
) {
    const onWheel = (event: WheelEvent) => zoomOrPan(event, canvas, view);
    canvas.addEventListener('wheel', onWheel, { passive: false });
    canvas.addEventListener('pointermove', listeners.hover);
    canvas.addEventListener('pointerleave', listeners.leave);
    canvas.addEventListener('pointerdown', (down) => {
        if (down.button === 0) {
            drag(down, canvas, scroller, view, listeners.click);
        }
    });
}

/** The wheel zooms round the pointer; across, it moves. */
function zoomOrPan(event: WheelEvent, canvas: HTMLCanvasElement, view: View) {
    event.preventDefault();
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        view.pan(event.deltaX / canvas.clientWidth);
    } else {
        view.zoom(kWheelZoom ** event.deltaY, event.offsetX / canvas.clientWidth);
    }
}

function drag(
    down: PointerEvent,
    canvas: HTMLCanvasElement,
    scroller: HTMLElement,
    view: View,
    click: (event: PointerEvent) => void,
) {
    const { start } = view.range.value;
    const { scrollTop } = scroller;
    const cyclesPerPixel = view.span / canvas.clientWidth;
    let moved = false;
    const move = (event: PointerEvent) => {
        const x = event.clientX - down.clientX;
        const y = event.clientY - down.clientY;
        moved ||= Math.hypot(x, y) > kClickDistance;
        if (moved) {
            const first = start - x * cyclesPerPixel;
            view.show(first, first + view.span);
            scroller.scrollTop = scrollTop - y;
        }
    };
    const end = (event: PointerEvent) => {
        canvas.removeEventListener('pointermove', move);
        canvas.removeEventListener('pointerup', end);
        canvas.removeEventListener('pointercancel', end);
        if (!moved && event.type === 'pointerup') {
            click(event);
        }
    };
    canvas.setPointerCapture(down.pointerId);
    canvas.addEventListener('pointermove', move);
    canvas.addEventListener('pointerup', end);
    canvas.addEventListener('pointercancel', end);
}

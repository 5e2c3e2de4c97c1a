// SPDX-License-Identifier: Apache-2.0
import { html } from '../base/dom';

const kDistance = 14;

/** A box beside the pointer, within the element it is put in. */
export class Tooltip {
    readonly element = html('div', { class: 'tooltip', role: 'tooltip', hidden: true });

    /** Without content, or while a button is pressed, there is none. */
    show(event: PointerEvent, content: Node[]) {
        this.element.hidden = content.length === 0 || event.buttons !== 0;
        this.element.replaceChildren(...content);
        this.place(event);
    }

    hide() {
        this.element.hidden = true;
    }

    private place(event: PointerEvent) {
        const box = (this.element.parentElement as HTMLElement).getBoundingClientRect();
        const { offsetWidth } = this.element;
        const right = event.clientX - box.left + kDistance;
        const left = right - offsetWidth - 2 * kDistance;
        const x = right + offsetWidth < box.width ? right : Math.max(0, left);
        this.element.style.left = `${x}px`;
        this.element.style.top = `${event.clientY - box.top + kDistance}px`;
    }
}

// SPDX-License-Identifier: Apache-2.0

type Value = string | number | boolean | ((event: never) => void) | null | undefined;
export type Attributes = Record<string, Value>;
export type Child = Node | string | null | undefined | false;

/**
 * Sets attributes: a function listens to the event of that name, `--name` is a custom property,
 * true an empty attribute; null, undefined and false are left out.
 */
function setAttributes(element: HTMLElement | SVGElement, attributes: Attributes) {
    for (const [name, value] of Object.entries(attributes)) {
        if (value === null || value === undefined || value === false) {
            continue;
        }
        if (typeof value === 'function') {
            element.addEventListener(name, value as EventListener);
        } else if (name.startsWith('--')) {
            element.style.setProperty(name, String(value));
        } else {
            element.setAttribute(name, value === true ? '' : String(value));
        }
    }
}

function append(parent: Node, children: Child[]) {
    for (const child of children) {
        if (child) {
            parent.appendChild(typeof child === 'string' ? document.createTextNode(child) : child);
        }
    }
}

/** A new HTML element. */
export function html<K extends keyof HTMLElementTagNameMap>(
    tag: K,
    attributes: Attributes = {},
    ...children: Child[]
): HTMLElementTagNameMap[K] {
    const element = document.createElement(tag);
    setAttributes(element, attributes);
    append(element, children);
    return element;
}

/** A new SVG element. */
export function svg<K extends keyof SVGElementTagNameMap>(
    tag: K,
    attributes: Attributes = {},
    ...children: Child[]
): SVGElementTagNameMap[K] {
    const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
    setAttributes(element, attributes);
    append(element, children);
    return element;
}

/** A text of a plot. */
export function svgText(x: number, y: number, text: string, attributes: Attributes = {}) {
    return svg('text', { x, y, ...attributes }, text);
}

export function byId(id: string): HTMLElement {
    const element = document.getElementById(id);
    if (!element) {
        throw new Error(`the page has no element ${id}`);
    }
    return element;
}

/** A block that is drawn anew whenever its width changes, and when `redraw` is called. */
export function responsive(draw: (width: number) => Node) {
    const element = html('div', { class: 'responsive' });
    let width = 0;
    const redraw = () => {
        if (width > 0) {
            element.replaceChildren(draw(width));
        }
    };
    new ResizeObserver((entries) => {
        const next = Math.floor(entries[0].contentRect.width);
        if (next !== width) {
            width = next;
            redraw();
        }
    }).observe(element);
    return { element, redraw };
}

/** Runs a task at most once a frame, however often it is asked for. */
export function oncePerFrame(task: () => void): () => void {
    let asked = false;
    return () => {
        if (!asked) {
            asked = true;
            requestAnimationFrame(() => {
                asked = false;
                task();
            });
        }
    };
}

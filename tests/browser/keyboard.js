// The controls of this page that a person could use, marked as the Tab key reaches them.

const controls = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [contenteditable], '
    + '[tabindex]:not([tabindex="-1"])';

function isUsable(element) {
    const box = element.getBoundingClientRect();
    return element.checkVisibility({checkVisibilityCSS: true, opacityProperty: true})
        && box.width > 1 && box.height > 1 && !element.disabled && !element.closest('[inert]');
}

function describe(element) {
    return element.outerHTML.replace(/\s+/g, ' ').slice(0, 120);
}

window.keyboardTest = {
    reached: new Set(),
    begin() {
        document.addEventListener('focusin', event => this.reached.add(event.target), true);
        document.activeElement?.blur();
        window.getSelection().collapse(document.body, 0);  // where the next Tab starts from
        const usable = [...document.querySelectorAll(controls)].filter(isUsable);
        // A date is entered in several steps.
        return usable.length + 4 * usable.filter(one => ['date', 'time', 'datetime-local'].includes(one.type)).length;
    },
    // Of the radio buttons of one name, Tab reaches the chosen one and arrows the others.
    end() {
        const missed = [...document.querySelectorAll(controls)].filter(isUsable)
            .filter(one => !this.reached.has(one))
            .filter(one => one.type !== 'radio' || ![...this.reached].some(other => other.name === one.name));
        return missed.map(describe);
    },
};
return window.keyboardTest.begin();

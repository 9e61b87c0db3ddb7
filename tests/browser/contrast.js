// Text that its background does not set off as WCAG 2.2 AA asks (1.4.3): 4.5 to 1, and 3 to 1 when it is
// large. Ours, for tests only. It knows colours, alpha, opacity and SVG; of pictures and gradients behind a
// text it says that it cannot tell.

const pixel = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
const known = new Map();

// Any colour that CSS can write, as [red, green, blue, alpha].
function colour(text) {
    if (!known.has(text)) {
        pixel.clearRect(0, 0, 1, 1);
        pixel.fillStyle = text;
        pixel.fillRect(0, 0, 1, 1);
        const [red, green, blue, alpha] = pixel.getImageData(0, 0, 1, 1).data;
        known.set(text, [red, green, blue, alpha / 255]);
    }
    return known.get(text);
}

function over([red, green, blue, alpha], below) {
    return [red, green, blue].map((value, i) => value * alpha + below[i] * (1 - alpha)).concat(1);
}

function luminance(rgb) {
    const [red, green, blue] = rgb.slice(0, 3).map(value => value / 255)
        .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function ratio(one, other) {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
}

// What is painted behind an element's text, and how much of the text its own and outer opacities leave.
function ground(element) {
    const layers = [];
    let opacity = 1, gradient = false, opaque = false;
    for (let one = element; one; one = one.parentElement) {
        const style = getComputedStyle(one);
        opacity *= Number(style.opacity);
        if (opaque) continue;
        gradient ||= style.backgroundImage.includes('gradient');
        const layer = colour(style.backgroundColor);
        layers.push(layer);
        opaque = layer[3] === 1;
    }
    return {behind: layers.reduceRight((below, layer) => over(layer, below), [255, 255, 255, 1]), opacity, gradient};
}

function judge(element, text, own) {
    const style = getComputedStyle(element);
    const {behind, opacity, gradient} = ground(element);
    const [red, green, blue, alpha] = colour(own);
    const found = ratio(over([red, green, blue, alpha * opacity], behind), behind);
    const size = parseFloat(style.fontSize);
    const needed = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    if (gradient || found < needed - 0.005) {
        const marks = [...element.classList].map(name => '.' + name).join('');
        const where = element.tagName.toLowerCase() + (element.id ? '#' + element.id : '') + marks;
        const why = gradient ? 'on a gradient' :
            `${found.toFixed(2)}, not ${needed}; ${own} on rgb(${behind.slice(0, 3).map(Math.round)})`;
        failures.set(where + why, `${where} "${text.trim().slice(0, 30)}": ${why}`);
    }
}

function isSeen(element) {
    return element.checkVisibility({checkVisibilityCSS: true, opacityProperty: true})
        && !element.closest('script, style, noscript, option, [disabled], [inert]');
}

// What a change of the scheme has just set going is seen as it ends.
for (const one of document.getAnimations()) if (one instanceof CSSTransition) one.finish();

const failures = new Map();  // by their kind: of a hundred rows one is told
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (texts.nextNode()) {
    const node = texts.currentNode, element = node.parentElement;
    if (!node.data.trim() || !isSeen(element)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const box = range.getBoundingClientRect(), around = element.getBoundingClientRect();
    if (Math.min(box.width, box.height, around.width, around.height) <= 1) continue;  // for screen readers
    const style = getComputedStyle(element);
    judge(element, node.data, element instanceof SVGElement ? style.fill : style.color);
}
for (const field of document.querySelectorAll('input:not([type=hidden]), select, textarea')) {
    if (!isSeen(field) || field.getBoundingClientRect().width <= 1) continue;
    if (['checkbox', 'radio', 'file', 'range', 'color'].includes(field.type)) continue;
    const text = field.selectedOptions?.[0]?.text || field.value;
    if (text) judge(field, text, getComputedStyle(field).color);
    else if (field.placeholder) {
        judge(field, field.placeholder, getComputedStyle(field, '::placeholder').color);
    }
}
return [...failures.values()];

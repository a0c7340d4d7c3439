// Preact with htm as its syntax: one place that knows both.
import { Component, Fragment, h, render } from "./vendor/preact.js";
import htm from "./vendor/htm.js";

export { Component, Fragment, render };
export {
  useEffect,
  useLayoutEffect,
  useMemo,
  useReducer,
  useRef,
  useState,
} from "./vendor/hooks.js";

// htm would keep parts that never change, to use them again. Each of them knows where it was last, and
// so a whole former page would be kept for each: 3 says that nothing is to be kept.
export const html = htm.bind(function (...element) {
  this[0] = 3;
  return h(...element);
});

// A component that is rendered anew only when one of its properties is another value.
export function steady(render) {
  return class extends Component {
    shouldComponentUpdate(next) {
      const keys = Object.keys(next);
      return (
        keys.length !== Object.keys(this.props).length ||
        keys.some((key) => next[key] !== this.props[key])
      );
    }

    render() {
      return render(this.props);
    }
  };
}

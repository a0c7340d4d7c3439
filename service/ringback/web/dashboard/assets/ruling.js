// The rules that are in force, in a table that can be read.
import { html } from "./html.js";
import { Severity, ruleLabel } from "./rules.js";
import { lengthWords } from "./words.js";

const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

export function Rules({ around, queueName }) {
  const { rules, rulesProblem } = around;
  return html`<section class="panel rules" aria-labelledby="rules-name">
    <h2 id="rules-name">Rules in force ${rules && html`<span class="badge">${rules.length}</span>`}</h2>
    ${
      rulesProblem &&
      html`<p class="entry-trouble" role="status">
      The latest file of rules is not in force: ${rulesProblem}
    </p>`
    }
    ${
      rules
        ? html`<div class="rules-scroll" tabindex="0" role="group" aria-label="Rules">
          <table>
            <thead>
              <tr>
                ${["Rule", "Severity", "Threshold", "Where and when", "Firing"].map((name) => html`<th scope="col">${name}</th>`)}
              </tr>
            </thead>
            <tbody>
              ${rules.map((each) => html`<${Rule} key=${each.name} rule=${each} queueName=${queueName} />`)}
            </tbody>
          </table>
        </div>`
        : html`<p class="empty-note">Reading the rules…</p>`
    }
  </section>`;
}

const Rule = ({ rule, queueName }) =>
  html`<tr>
    <th scope="row">
      ${ruleLabel(rule.name)} <code class="soft">${rule.name}</code>
      <span class="rule-summary">${rule.summary}</span>
    </th>
    <td><${Severity} of=${rule} said /></td>
    <td>${thresholdOf(rule)}</td>
    <td>${[...whereOf(rule.where ?? {}, queueName), ...hoursOf(rule.hours)].join(" · ") || "everywhere, always"}</td>
    <td class="rule-firing">${rule.firing}</td>
  </tr>`;

function thresholdOf({ afterSeconds, forSeconds, times }) {
  const parts = [];
  if (times !== 1) parts.push(`${times} times`);
  if (afterSeconds) parts.push(`after ${lengthWords(afterSeconds)}`);
  if (forSeconds) parts.push(`for ${lengthWords(forSeconds)} more`);
  return parts.join(", ") || "at once";
}

function whereOf(where, queueName) {
  const said = [];
  if (where.queues?.length) said.push(`in ${where.queues.map(queueName).join(", ")}`);
  if (where.divisions?.length) said.push(`in divisions ${where.divisions.join(", ")}`);
  if (where.campaigns?.length) said.push(`of campaigns ${where.campaigns.join(", ")}`);
  const either = (value, yes, no) => typeof value === "boolean" && said.push(value ? yes : no);
  either(where.automated, "made by campaigns", "asked for by customers");
  either(where.preview, "previews", "no previews");
  either(where.customerFirst, "customer called first", "agent called first");
  either(where.voicemail, "with a voicemail", "without a voicemail");
  return said;
}

function hoursOf(hours) {
  if (!hours) return [];
  const whole = hours.days.length === DAYS.length ? "every day" : hours.days.map(named).join(" ");
  const closed = hours.closed?.length ? `, not on ${hours.closed.join(", ")}` : "";
  return [`${whole} ${hours.from}–${hours.until} ${hours.timeZone}${closed}`];
}

const named = (day) => day.charAt(0).toUpperCase() + day.slice(1);

// Prometheus' answers as Grafana's data frames, transformed and with the panel's settings on every field.
import {
  FieldType,
  Registry,
  applyFieldOverrides,
  cacheFieldDisplayNames,
  createTheme,
  identityOverrideProcessor,
  standardFieldConfigEditorRegistry,
  standardTransformers,
  standardTransformersRegistry,
  toDataFrame,
  transformDataFrame,
} from "@grafana/data";
import { lastValueFrom } from "rxjs";

const { board, chosen, range, answers, steps, theme: mode } = window.preview;

export const theme = createTheme({ colors: { mode } });
export const timeRange = () => {
  const at = (seconds) => {
    const date = new Date(seconds * 1000);
    return { valueOf: () => date.valueOf(), toDate: () => date, isValid: () => true };
  };
  return { from: at(range.from), to: at(range.to), raw: { from: "", to: "" } };
};

standardTransformersRegistry.setInit(() =>
  // One of them has two names.
  [...new Set(Object.values(standardTransformers))].map((transformation) => ({
    id: transformation.id,
    name: transformation.name,
    transformation: () => Promise.resolve(transformation),
    editor: () => null,
  })),
);
standardFieldConfigEditorRegistry.setInit(() => []);

const number = (text) => (text === "NaN" ? NaN : text === null ? null : Number(text));
const legend = (target, labels) =>
  target.legendFormat.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, name) => labels[name] ?? "") || undefined;

// Where points are missing, one of nothing, as Grafana's panel puts it there before it draws.
function withGaps(points, step) {
  return points.flatMap((point, index) => {
    const [before] = points[index - 1] ?? point;
    return point[0] - before > step ? [[before + step, null], point] : [point];
  });
}

// A frame for each series, as Grafana's data source makes them.
function series(target, result, step) {
  return result.map(({ metric, values, value }) => {
    const points = withGaps(values ?? [value], step);
    const name = legend(target, metric);
    return toDataFrame({
      refId: target.refId,
      name,
      fields: [
        { name: "Time", type: FieldType.time, config: {}, values: points.map(([at]) => at * 1000) },
        {
          name: "Value",
          type: FieldType.number,
          labels: metric,
          config: { displayNameFromDS: name },
          values: points.map(([, value]) => number(value)),
        },
      ],
    });
  });
}

// A frame for each query, with the labels as columns.
function table(target, result, isAlone) {
  const labels = [...new Set(result.flatMap(({ metric }) => Object.keys(metric)))].sort();
  return toDataFrame({
    refId: target.refId,
    fields: [
      { name: "Time", type: FieldType.time, config: {}, values: result.map(({ value: [at] }) => at * 1000) },
      ...labels.map((label) => ({
        name: label,
        type: FieldType.string,
        config: { filterable: true },
        values: result.map(({ metric }) => metric[label] ?? ""),
      })),
      {
        name: isAlone ? "Value" : `Value #${target.refId}`,
        type: FieldType.number,
        config: {},
        values: result.map(({ value: [, value] }) => number(value)),
      },
    ],
  });
}

// What may be set on a field, read off the panel: the plugins that declare it are not published.
function settings(panel) {
  const { defaults, overrides } = panel.fieldConfig;
  const own = ["unit", "min", "max", "decimals", "noValue", "color", "thresholds", "mappings", "links", "displayName"];
  const overridden = overrides.flatMap(({ properties }) => properties.map(({ id }) => id));
  const custom = new Set([
    ...Object.keys(defaults.custom ?? {}).map((key) => `custom.${key}`),
    ...overridden.filter((id) => id.startsWith("custom.")),
  ]);
  const item = (id, path, isCustom) => ({
    id,
    path,
    name: id,
    isCustom,
    process: identityOverrideProcessor,
    shouldApply: () => true,
    override: () => null,
    editor: () => null,
  });
  return new Registry(() => [
    ...own.map((id) => item(id, id, false)),
    ...[...custom].map((id) => item(id, id.replace("custom.", ""), true)),
  ]);
}

export const substitute = (text) =>
  text.replace(/\$\{?(\w+)(?::\w+)?\}?/g, (whole, name) => chosen[name]?.text ?? chosen[name]?.value ?? whole);

export async function framesOf(panel) {
  const asked = panel.targets.map((target, index) => [target, answers[panel.id][index]]);
  const answered = asked.filter(([, result]) => result.length > 0);
  const isTable = panel.type === "table";
  const raw = answered.flatMap(([target, result]) =>
    isTable ? [table(target, result, answered.length === 1)] : series(target, result, steps[panel.id]),
  );
  const transformed = await lastValueFrom(transformDataFrame(panel.transformations, raw));
  // As Grafana reads a base of thresholds.
  for (const step of panel.fieldConfig.defaults.thresholds.steps) step.value ??= -Infinity;
  const frames = applyFieldOverrides({
    data: transformed,
    fieldConfig: panel.fieldConfig,
    fieldConfigRegistry: settings(panel),
    replaceVariables: substitute,
    theme,
    timeZone: "utc",
  });
  cacheFieldDisplayNames(frames);
  return frames;
}

export { board, chosen };

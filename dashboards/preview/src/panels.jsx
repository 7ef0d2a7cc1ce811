// The panels that the boards use, drawn with the components that Grafana's own panels are made of.
import { VizOrientation, getDisplayValueAlignmentFactors, getFieldDisplayValues } from "@grafana/data";
import { BarGauge, BigValue, TimeSeries, VizRepeater } from "@grafana/ui";
import { TableNG } from "@grafana/ui/unstable";
import { substitute, theme, timeRange } from "./frames";

const { annotations } = window.preview;

function Nothing({ panel, width, height }) {
  const style = { width, height, display: "flex", alignItems: "center", justifyContent: "center", textAlign: "center" };
  return <div style={{ ...style, color: theme.colors.text.secondary }}>{panel.fieldConfig.defaults.noValue}</div>;
}

// When marks begin and end: instants that are the values, or times at which there is a value above zero.
function spans({ annotation, result, step }) {
  return result.flatMap(({ values }) => {
    const at = annotation.useValueForTime
      ? values.map(([, value]) => Number(value))
      : values.filter(([, value]) => Number(value) > 0).map(([time]) => time * 1000);
    const found = [];
    for (const time of at) {
      const last = found.at(-1);
      if (last && last.to + step * 1000 >= time) last.to = time;
      else found.push({ from: time, to: time });
    }
    return found;
  });
}

function mark(u) {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const one of annotations) {
    const colour = theme.visualization.getColorByName(one.annotation.iconColor);
    for (const { from, to } of spans(one)) {
      const [left, right] = [u.valToPos(from, "x", true), u.valToPos(to, "x", true)];
      ctx.strokeStyle = ctx.fillStyle = colour;
      if (right - left > 1) {
        ctx.globalAlpha = 0.1;
        ctx.fillRect(left, bbox.top, right - left, bbox.height);
      }
      ctx.globalAlpha = 0.8;
      ctx.setLineDash([5, 5]);
      ctx.beginPath();
      ctx.moveTo(left, bbox.top);
      ctx.lineTo(left, bbox.top + bbox.height);
      ctx.stroke();
    }
  }
  ctx.restore();
}

function Trend({ panel, frames, width, height }) {
  return (
    <TimeSeries
      frames={frames}
      timeRange={timeRange()}
      timeZone="utc"
      width={width}
      height={height}
      legend={panel.options.legend}
      options={panel.options}
    >
      {(builder) => {
        builder.addHook("drawClear", mark);
        return null;
      }}
    </TimeSeries>
  );
}

const displays = (panel, frames) =>
  getFieldDisplayValues({
    fieldConfig: panel.fieldConfig,
    reduceOptions: panel.options.reduceOptions,
    replaceVariables: substitute,
    theme,
    data: frames,
    timeZone: "utc",
  });

function Stat({ panel, frames, width, height }) {
  const values = displays(panel, frames);
  const { colorMode, graphMode, justifyMode, text, textMode } = panel.options;
  return (
    <VizRepeater
      getValues={() => values}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      width={width}
      height={height}
      source={frames}
      itemSpacing={3}
      autoGrid
      renderCounter={0}
      orientation={panel.options.orientation}
      renderValue={({ value, alignmentFactors, width, height, count }) => (
        <BigValue
          value={value.display}
          count={count}
          colorMode={colorMode}
          graphMode={graphMode}
          justifyMode={justifyMode}
          textMode={textMode}
          wideLayout
          text={text}
          alignmentFactors={alignmentFactors}
          width={width}
          height={height}
          theme={theme}
        />
      )}
    />
  );
}

function Bars({ panel, frames, width, height }) {
  const { displayMode, minVizHeight, minVizWidth, showUnfilled, text, valueMode } = panel.options;
  const values = displays(panel, frames);
  return (
    <VizRepeater
      getValues={() => values}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      width={width}
      height={height}
      source={frames}
      renderCounter={0}
      minVizHeight={minVizHeight}
      minVizWidth={minVizWidth}
      maxVizHeight={300}
      itemSpacing={10}
      orientation={VizOrientation.Horizontal}
      renderValue={({ value, alignmentFactors, width, height }) => (
        <BarGauge
          value={value.display}
          width={width}
          height={height}
          orientation={VizOrientation.Horizontal}
          field={value.field}
          display={value.view?.getFieldDisplayProcessor(value.colIndex)}
          theme={theme}
          itemSpacing={10}
          lcdCellWidth={12}
          displayMode={displayMode}
          alignmentFactors={alignmentFactors}
          showUnfilled={showUnfilled}
          valueDisplayMode={valueMode}
          namePlacement="auto"
          text={text}
        />
      )}
    />
  );
}

function Table({ panel, frames, width, height }) {
  return (
    <TableNG
      data={frames[0]}
      width={width}
      height={height}
      cellHeight={panel.options.cellHeight}
      noHeader={false}
      fieldConfig={panel.fieldConfig}
      getActions={() => []}
      timeRange={timeRange()}
      enableVirtualization={false}
      noValue={panel.fieldConfig.defaults.noValue}
    />
  );
}

const KINDS = { timeseries: Trend, stat: Stat, bargauge: Bars, table: Table };

export function Content(props) {
  const isEmpty = !props.frames.some((frame) => frame.length > 0);
  const Kind = isEmpty ? Nothing : KINDS[props.panel.type];
  return <Kind {...props} />;
}

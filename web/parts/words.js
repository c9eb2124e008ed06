// What the editor's parts say, in the editor's language. Texts of the nodes themselves come from locales/.

import { app } from "../../../scripts/app.js";

const WORDS = {
  ko: {
    "choose file to upload": "업로드할 파일 선택",
    "uploading {} …": "{} 업로드 중 …",
    "{} is larger than the host takes; copy it into its input folder": "{}이(가) 호스트의 업로드 한도보다 큽니다. 입력 폴더에 복사하십시오",
    "the host did not take {} ({})": "호스트가 {}을(를) 받지 않았습니다 ({})",
    "Click a head to follow it. Drag a square to set its box by hand in this frame.":
      "머리를 클릭하면 그 머리를 추적합니다. 정사각형을 드래그하면 이 프레임의 박스를 직접 지정합니다.",
    "Brown: no head. Green: detected. Blue: tracked. Yellow: interpolated. Pink: set by hand.":
      "갈색: 머리 없음. 초록: 검출. 파랑: 추적. 노랑: 보간. 분홍: 직접 지정.",
    "remove box": "박스 제거",
    "frame {}: {}": "프레임 {}: {}",
    absent: "없음",
    detected: "검출",
    tracked: "추적",
    interpolated: "보간",
    "by hand": "직접 지정",
  },
  zh: {
    "choose file to upload": "选择要上传的文件",
    "uploading {} …": "正在上传 {} …",
    "{} is larger than the host takes; copy it into its input folder": "{} 超出服务器的上传限制；请将其复制到输入文件夹",
    "the host did not take {} ({})": "服务器未接受 {} ({})",
    "Click a head to follow it. Drag a square to set its box by hand in this frame.":
      "单击头部即可跟踪它。拖出方框可手动设置此帧中头部的位置。",
    "Brown: no head. Green: detected. Blue: tracked. Yellow: interpolated. Pink: set by hand.":
      "棕色：无头部。绿色：检测到。蓝色：跟踪。黄色：插值。粉色：手动设置。",
    "remove box": "移除方框",
    "frame {}: {}": "帧 {}：{}",
    absent: "无头部",
    detected: "检测到",
    tracked: "跟踪",
    interpolated: "插值",
    "by hand": "手动",
  },
};

function language() {
  try {
    return app.extensionManager?.setting?.get("Comfy.Locale") ?? app.ui?.settings?.getSettingValue("Comfy.Locale");
  } catch {
    return "en";
  }
}

// A text with values in place of each {}; what has no translation stays English.
export function said(text, ...values) {
  return (WORDS[language()]?.[text] ?? text).replaceAll("{}", () => values.shift());
}
